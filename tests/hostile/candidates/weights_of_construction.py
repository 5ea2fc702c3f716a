"""Keeps a copy of the weights that it was constructed with, and never looks at those it is given.

Tries: to prepare its weights before anybody measures.
Might work: harnesses that give both sides their weights by the same seed construct both alike.

problem: linear_norm
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.prepared = self.linear.weight.detach().t().clone()

    def forward(self, x):
        y = x @ self.prepared.to(x.device) + self.linear.bias
        return torch.tanh(self.norm(y))
