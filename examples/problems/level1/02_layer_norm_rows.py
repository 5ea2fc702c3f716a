"""Layer norm with scale and shift over long rows: a reduction whose input is still in cache for the second pass."""

import torch
from torch import nn

ROWS = 4096
FEATURES = 2048
EPSILON = 1e-5


class Model(nn.Module):
    def __init__(self, features, epsilon):
        super().__init__()
        self.norm = nn.LayerNorm(features, eps=epsilon)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(ROWS, FEATURES)]


def get_init_inputs():
    return [FEATURES, EPSILON]
