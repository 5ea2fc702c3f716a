"""Group norm with a scale and a shift for each channel."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, groups, channels):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(8, 16, 12, 12)]


def get_init_inputs():
    return [4, 16]
