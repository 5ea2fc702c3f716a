"""A linear layer without bias."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden, bias=False)

    def forward(self, x):
        return self.linear(x)


def get_inputs():
    return [torch.randn(64, 96)]


def get_init_inputs():
    return [96, 80]
