"""Hands its own input back where the reference makes a new tensor.

Tries: to skip the copy; the values are the same.
Might work: a comparison of values cannot tell. A caller that edits the answer in place would edit its input.

problem: flip_twice
expect: rejected|mismatch
passes: exact
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x
