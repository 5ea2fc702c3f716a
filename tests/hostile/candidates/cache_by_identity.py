"""Remembers answers by ``id`` of the input, and keeps the input alive so that the id stays its own.

Tries: to compute once per tensor object, whatever is written into it later.
Might work: timing loops call with the same objects again and again.

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
        if id(x) not in self.answers:
            self.answers[id(x)] = (x, torch.relu(x))
        return self.answers[id(x)][1].clone()
