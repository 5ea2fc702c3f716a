"""The left factor is lower triangular: half of the multiplications are by zero."""

import torch
from torch import nn

SIDE = 1024
COLUMNS = 768


class Model(nn.Module):
    def forward(self, lower, x):
        return torch.tril(lower) @ x


def get_inputs():
    return [torch.tril(torch.randn(SIDE, SIDE)), torch.randn(SIDE, COLUMNS)]


def get_init_inputs():
    return []
