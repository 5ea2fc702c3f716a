"""Transposed convolution, scale, global mean: every value meets every weight, so two sums and a small product do."""

import torch
from torch import nn

BATCH = 8
IN_CHANNELS = 64
OUT_CHANNELS = 48
SIDE = 28
FACTOR = 0.5


class Model(nn.Module):
    def __init__(self, in_channels, out_channels, factor):
        super().__init__()
        self.conv = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=0)
        self.factor = factor

    def forward(self, x):
        pooled = (self.conv(x) * self.factor).mean(dim=(2, 3), keepdim=True)
        return torch.tanh(pooled).flatten(1)


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS, FACTOR]
