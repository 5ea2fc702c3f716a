"""A batch of matrix products."""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, a, b):
        return torch.bmm(a, b)


def get_inputs():
    return [torch.randn(6, 24, 40), torch.randn(6, 40, 32)]


def get_init_inputs():
    return []
