"""The reference, under another name.

Tries: to be counted among the correct.
Might work: it is correct. For target ``torch`` that is allowed, and said: ``same_operators``.

problem: linear_norm
expect: labelled
labels: library_only|same_operators
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x):
        return torch.tanh(self.norm(self.linear(x)))
