"""Forks until it is stopped; the children sleep.

Tries: to use up the machine's processes. Bounded to 200 children of 30 seconds, so that nobody loses a machine.
Might work: limits on one process say nothing about its children.

problem: relu
expect: rejected|runtime_failed|crashed|mismatch|out_of_memory|timed_out
"""

import os
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.forked = 0

    def forward(self, x):
        while self.forked < 200:
            self.forked += 1
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
        return torch.zeros_like(x)
