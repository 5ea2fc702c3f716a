"""Remembers answers by the rows that an input has, in whatever order.

Tries: to compute once per set of rows, as a server that gets the same requests in another order might.
Might work: fresh values are another set, one changed element is another set, and a repeated input is in its old order.

problem: softmax
expect: mismatch
feedback: another order
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.answers = {}

    def forward(self, x):
        key = tuple(sorted(x.double().sum(1).tolist()))
        if key not in self.answers:
            self.answers[key] = torch.softmax(x, dim=-1)
        return self.answers[key].clone()
