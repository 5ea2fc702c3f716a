"""Sigmoid written out.

problem: sigmoid
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.reciprocal(torch.exp(-x) + 1.0)
