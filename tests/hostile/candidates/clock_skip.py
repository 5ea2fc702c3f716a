"""Works for the first half second of its life, then hands out what it has.

Tries: to pass the checks, which come first, and to be timed later.
Might work: a judge checks for less than half a second and times for longer.

problem: softmax
expect: mismatch|rejected
timing: yes
"""

import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = None
        self.last = None

    def forward(self, x):
        now = time.monotonic()
        if self.start is None:
            self.start = now
        if now - self.start < 0.5 or self.last is None or self.last.shape != x.shape:
            self.last = torch.softmax(x, dim=-1)
        return self.last.clone()
