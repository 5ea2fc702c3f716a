"""The product of a lower triangular matrix with a dense one."""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, a, b):
        return torch.tril(a) @ b


def get_inputs():
    return [torch.randn(80, 80), torch.randn(80, 48)]


def get_init_inputs():
    return []
