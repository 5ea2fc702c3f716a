"""Three sums in one pass.

problem: cosine
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        return (x * y).sum(1) / ((x * x).sum(1) * (y * y).sum(1)).sqrt().clamp_min(1e-8)
