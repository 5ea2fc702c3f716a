"""Reads address zero in ``forward``.

Tries: nothing; many kernels do it by mistake.
Might work: a judge in the same process dies with it.

problem: relu
expect: crashed
"""

import ctypes

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        ctypes.string_at(0)
        return x
