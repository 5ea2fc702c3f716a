"""Remembers answers by a few elements of the input.

Tries: to compute once per sample of sixteen elements.
Might work: fresh random values never share a sample; only values that return with one element changed do.

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
        key = (tuple(x.shape), tuple(x.flatten()[:: max(1, x.numel() // 16)].tolist()))
        if key not in self.answers:
            self.answers[key] = torch.softmax(x, dim=-1)
        return self.answers[key].clone()
