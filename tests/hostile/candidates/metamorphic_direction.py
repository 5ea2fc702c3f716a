"""Remembers products by the direction of the first matrix, and forgets its length.

Tries: to compute once for inputs that differ by a factor only, as code that normalises its input might.
Might work: fresh values point elsewhere, and so does an input with one element changed.

problem: matmul
expect: mismatch
feedback: multiplied by a number
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.answers = {}

    def forward(self, a, b):
        wide = a.double()
        unit = wide / torch.linalg.vector_norm(wide)
        unit = unit * torch.sign(unit[0, 0])
        key = tuple(round(value, 4) for value in (*unit.sum(1).tolist(), float(b.double().sum())))
        if key not in self.answers:
            self.answers[key] = torch.matmul(a, b)
        return self.answers[key].clone()
