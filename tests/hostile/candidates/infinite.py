"""Answers with infinity everywhere.

Tries: relative errors of the form inf / inf, which are NaN and pass ``not (error > tolerance)``.
Might work: for the same reason as NaN, one step later.

problem: matmul
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.full((a.shape[0], b.shape[1]), float("inf"), dtype=a.dtype, device=a.device)
