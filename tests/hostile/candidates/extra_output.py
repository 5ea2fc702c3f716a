"""One output more than the reference has.

Tries: a comparison that zips both sides and stops at the shorter one.
Might work: the first two are right.

problem: two_outputs
expect: mismatch
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        centred = x - x.mean(dim=1, keepdim=True)
        return centred, centred.square().mean(dim=1), x.sum()
