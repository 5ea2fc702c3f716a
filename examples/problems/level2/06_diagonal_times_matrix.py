"""A product with a matrix built by torch.diag: what looks like a matrix product is a scale per row."""

import torch
from torch import nn

SIDE = 1024
COLUMNS = 1536


class Model(nn.Module):
    def forward(self, diagonal, x):
        return torch.diag(diagonal) @ x


def get_inputs():
    return [torch.randn(SIDE), torch.randn(SIDE, COLUMNS)]


def get_init_inputs():
    return []
