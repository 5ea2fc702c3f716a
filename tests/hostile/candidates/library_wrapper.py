"""PyTorch's own operator under the name of a C++ candidate.

Tries: to be counted among kernels without having one.
Might work: it is right, and as fast as PyTorch.

problem: relu
expect: rejected
target: cpp
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.clamp_min(x, 0)
