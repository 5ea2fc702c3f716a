"""The first two of a sorted row.

problem: top_two
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.sort(dim=1, descending=True).values[:, :2].contiguous()
