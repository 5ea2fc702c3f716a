"""Answers with one constant, the mean of a softmax row.

Tries: to hide below the absolute tolerance: every entry of a softmax over 512 columns is about 0.002.
Might work: with atol = 1e-2 any answer between 0 and 0.01 passes almost everywhere.

problem: softmax
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.full_like(x, 1.0 / x.shape[-1])
