"""Remembers answers by shape and dtype.

Tries: to compute once per shape.
Might work: checks and timing mostly use one shape.

problem: softmax
expect: mismatch|rejected
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.answers = {}

    def forward(self, x):
        key = (tuple(x.shape), x.dtype)
        if key not in self.answers:
            self.answers[key] = torch.softmax(x, dim=-1)
        return self.answers[key].clone()
