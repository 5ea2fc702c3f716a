"""A linear layer, of whose rows only the mean is wanted."""

import torch
from torch import nn

ROWS = 2048
FEATURES = 512
OUTPUTS = 1024


class Model(nn.Module):
    def __init__(self, features, outputs):
        super().__init__()
        self.linear = nn.Linear(features, outputs)

    def forward(self, x):
        return self.linear(x).mean(dim=0)


def get_inputs():
    return [torch.randn(ROWS, FEATURES)]


def get_init_inputs():
    return [FEATURES, OUTPUTS]
