"""Hangs inside one call of C code that holds the interpreter's lock.

Tries: to keep Python from running any watchdog of the same process.
Might work: threads and signal handlers of Python wait for the lock.

problem: relu
expect: timed_out
limit: 6
"""

import ctypes

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        ctypes.PyDLL(None).sleep(120)
        raise RuntimeError("nobody stopped me")
