"""Row sums as a product with ones.

problem: row_and_total
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        y = x @ x.new_ones(x.shape[1])
        return y, y[:1].clone()
