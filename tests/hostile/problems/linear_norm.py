"""Linear, layer norm, tanh. The affine parameters of the norm start at one and zero."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x):
        return torch.tanh(self.norm(self.linear(x)))


def get_inputs():
    return [torch.randn(96, 128)]


def get_init_inputs():
    return [128, 160]
