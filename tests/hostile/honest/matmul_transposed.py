"""The transpose of the product of transposes.

problem: matmul
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return (b.t() @ a.t()).t().contiguous()
