"""Works in place on its first input; the answer itself is right.

Tries: to save an allocation at the caller's cost.
Might work: harnesses that hand the same tensors to nobody afterwards never look.

problem: residual
expect: rejected|mismatch
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        product = x * y
        return x.sin_().mul_(2.0).add_(product)
