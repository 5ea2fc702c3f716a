"""Two outputs, values and int64 positions, reduced over a middle dimension; ties must go to one and the same place."""

import torch
from torch import nn

BATCH = 32
CHANNELS = 256
WIDTH = 1024


class Model(nn.Module):
    def forward(self, x):
        values, positions = torch.max(x, dim=1)
        return values, positions


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, WIDTH)]


def get_init_inputs():
    return []
