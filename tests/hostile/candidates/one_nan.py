"""Right everywhere but for one NaN.

Tries: to disappear in a mean or in a nan-aware norm.
Might work: ``nanmean`` and ``equal_nan=True`` skip it.

problem: relu
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.relu(x)
        y.view(-1)[y.numel() // 2] = float("nan")
        return y
