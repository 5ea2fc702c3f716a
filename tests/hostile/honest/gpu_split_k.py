"""The product in four parts of its inner dimension, added up.

problem: gpu_matmul
platform: cuda
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        parts = zip(a.chunk(4, dim=1), b.chunk(4, dim=0), strict=True)
        return sum(left @ right for left, right in parts)
