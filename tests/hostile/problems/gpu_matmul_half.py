"""A product of float16 matrices with long sums."""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b)


def get_inputs():
    return [(0.25 * torch.randn(256, 8192)).half(), (0.25 * torch.randn(8192, 256)).half()]


def get_init_inputs():
    return []
