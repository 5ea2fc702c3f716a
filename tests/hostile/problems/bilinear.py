"""x A y for each pair of rows."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.form = nn.Bilinear(20, 24, 12)

    def forward(self, x, y):
        return self.form(x, y)


def get_inputs():
    return [torch.randn(64, 20), torch.randn(64, 24)]


def get_init_inputs():
    return []
