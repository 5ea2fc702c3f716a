"""x times a clamped line.

problem: hard_swish
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x * (x + 3).clamp_(0, 6).div_(6)
