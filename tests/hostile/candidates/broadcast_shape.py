"""Hands [N, 1] back where [N, M] is asked for.

Tries: a comparison that broadcasts.
Might work: ``torch.allclose`` broadcasts silently, and every column of this reference is the same.

problem: row_mean
expect: mismatch
passes: exact
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.mean(dim=1, keepdim=True)
