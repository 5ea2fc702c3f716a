"""A low-order rational function instead of tanh, after an honest linear layer and norm.

Tries: the continued fraction of tanh cut after the fourth power, clamped to one.
Might work: it is within 2e-3 everywhere, far below 1e-2.

problem: linear_norm
expect: mismatch
passes: 1e-2
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x):
        y = self.norm(self.linear(x))
        s = y * y
        return torch.clamp(y * (945 + 105 * s + s * s) / (945 + 420 * s + 15 * s * s), -1.0, 1.0)
