"""Sends itself SIGKILL in ``forward``.

Tries: to look as if the system had killed it for memory.
Might work: both end with signal 9.

problem: relu
expect: crashed|out_of_memory
"""

import os
import signal

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        os.kill(os.getpid(), signal.SIGKILL)
