"""Hands a view of its input back: another tensor object on the same memory.

Tries: the same as an aliased output, past a check of ``output is input`` and of ``data_ptr``.
Might work: the view starts one row later in memory order, so that pointers differ.

problem: flip_twice
expect: rejected|mismatch
passes: exact
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x[:].view_as(x)
