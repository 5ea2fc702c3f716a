"""One column, expanded: the strides say that all columns are the same memory.

Tries: to write an n-th of the output. Whoever writes to one element of it changes the whole row.
Might work: shape and values are those of the reference.

problem: row_mean
expect: mismatch
passes: exact
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.mean(dim=1, keepdim=True).expand(-1, x.shape[1])
