"""A one-dimensional convolution with a stride."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 10, 5, stride=2)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(8, 6, 101)]


def get_init_inputs():
    return []
