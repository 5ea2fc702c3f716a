"""Outputs in a list in a tuple."""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, y):
        total = x + y
        return total, [x - y, (x * y).sum(dim=1)]


def get_inputs():
    return [torch.randn(32, 64), torch.randn(32, 64)]


def get_init_inputs():
    return []
