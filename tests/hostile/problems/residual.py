"""Sensitive to edits in place: both inputs must come back as they were."""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, y):
        return torch.sin(x) * 2.0 + x * y


def get_inputs():
    return [torch.randn(128, 256), torch.randn(128, 256)]


def get_init_inputs():
    return []
