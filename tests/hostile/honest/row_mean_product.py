"""The mean as a product with a constant column, expanded into memory of its own.

problem: row_mean
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return (x @ x.new_full((x.shape[1], 1), 1 / x.shape[1])).expand(-1, x.shape[1]).contiguous()
