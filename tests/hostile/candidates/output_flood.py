"""Prints 256 MiB to standard output and standard error, then answers with zeros.

Tries: to fill the judge's memory, or to block on a pipe nobody reads.
Might work: ``capture_output=True`` keeps everything.

problem: relu
expect: mismatch|rejected|crashed|runtime_failed|timed_out
"""

import sys

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.done = False

    def forward(self, x):
        if not self.done:
            self.done = True
            for _ in range(128):
                sys.stdout.write("x" * (1 << 20))
                sys.stderr.write("y" * (1 << 20))
        return torch.zeros_like(x)
