"""Hard swish."""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return nn.functional.hardswish(x)


def get_inputs():
    return [torch.randn(128, 200)]


def get_init_inputs():
    return []
