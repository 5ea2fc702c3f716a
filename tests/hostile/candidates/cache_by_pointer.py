"""Remembers answers by the address of the input.

Tries: to compute once per ``data_ptr``.
Might work: timing loops call with the same tensor again and again.

problem: relu
expect: mismatch|rejected
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.answers = {}

    def forward(self, x):
        key = x.data_ptr()
        if key not in self.answers:
            self.answers[key] = torch.relu(x)
        return self.answers[key].clone()
