"""Keeps its weights as plain attributes, so that the reference's weights cannot be loaded.

Tries: to be judged with weights of its own.
Might work: with the same seed and the same constructor order they are the same.

problem: linear_norm
expect: mismatch|rejected|runtime_failed
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.parts = (nn.Linear(features, hidden), nn.LayerNorm(hidden))

    def forward(self, x):
        linear, norm = self.parts
        return torch.tanh(norm(linear(x)))
