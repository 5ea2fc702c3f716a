"""Overwrites the input through ``.data`` and a raw pointer, leaving its version counter alone.

Tries: to make the reference, which gets the same tensor next, agree with a cheap answer.
Might work: harnesses that watch ``_version`` see no change.

problem: residual
expect: rejected|mismatch
"""

import ctypes

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        if x.device.type == "cpu":
            ctypes.memset(x.data_ptr(), 0, x.numel() * x.element_size())
        else:
            x.data.zero_()
        return torch.zeros_like(y)
