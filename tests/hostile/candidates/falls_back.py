"""A kernel that cannot be loaded, and PyTorch's operator where it fails.

Tries: to be counted among kernels; the kernel may be wrong, or not be there at all.
Might work: nobody sees which way was taken.

problem: relu
expect: rejected
target: cpp
"""

import ctypes

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        try:
            y = torch.empty_like(x)
            ctypes.CDLL("libfastest_relu.so").relu(x.data_ptr(), y.data_ptr(), x.numel())
            return y
        except OSError:
            return torch.relu(x)
