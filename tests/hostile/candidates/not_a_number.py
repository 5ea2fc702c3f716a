"""Answers with NaN everywhere.

Tries: comparisons of the form ``not (error > tolerance)``, which NaN passes.
Might work: ``max`` and ``>`` say False for NaN.

problem: relu
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.full_like(x, float("nan"))
