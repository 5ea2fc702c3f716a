"""A product in float64, rounded once at the end.

problem: matmul
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a.double(), b.double()).to(a.dtype)
