"""Calls itself without end.

Tries: to overflow the C stack after lifting Python's own limit.
Might work: a judge in the same process dies with it.

problem: relu
expect: runtime_failed|crashed|out_of_memory|timed_out
"""

import sys

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        sys.setrecursionlimit(10**8)
        return self.forward(x.view_as(x))
