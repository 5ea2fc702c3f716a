"""Convolution, then the mean over all positions: the mean of shifted windows needs no convolution at all."""

import torch
from torch import nn

BATCH = 8
IN_CHANNELS = 48
OUT_CHANNELS = 96
SIDE = 48
KERNEL = 3


class Model(nn.Module):
    def __init__(self, in_channels, out_channels, kernel):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel)

    def forward(self, x):
        return self.conv(x).mean(dim=(2, 3))


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS, KERNEL]
