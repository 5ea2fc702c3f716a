"""Both outputs lie in the same memory.

Tries: to save memory at the caller's cost: whoever adds to one output changes the other.
Might work: their values are right, and a comparison never writes.

problem: row_and_total
expect: mismatch
passes: exact
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        y = x.sum(dim=1)
        return y, y[:1]
