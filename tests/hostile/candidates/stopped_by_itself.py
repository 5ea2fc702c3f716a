"""Sends itself SIGSTOP: it neither ends nor goes on.

Tries: to hang a judge that waits for an exit or an answer.
Might work: a stopped process uses no CPU time, so that CPU limits never strike.

problem: relu
expect: timed_out|crashed|rejected
limit: 6
"""

import os
import signal

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        os.kill(os.getpid(), signal.SIGSTOP)
        return x
