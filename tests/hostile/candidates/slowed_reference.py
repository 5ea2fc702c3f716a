"""An honest copy of the reference that keeps all cores busy while it is not being called itself.

Tries: to slow the baseline, which runs between its own calls, with spinning processes that pause during ``forward``.
Might work: baseline and candidate share the machine.

problem: linear_norm
expect: rejected|no_gain|runtime_failed|crashed
timing: yes
"""

import mmap
import os
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.pause = mmap.mmap(-1, 1)
        self.spinning = False

    def spin(self):
        for _ in range(4):
            if os.fork() == 0:
                end = time.monotonic() + 20  # ends by itself, whatever the judge does
                while time.monotonic() < end:
                    if self.pause[0]:
                        time.sleep(0.0002)
                os._exit(0)

    def forward(self, x):
        if not self.spinning:
            self.spinning = True
            self.spin()
        self.pause[0] = 1
        y = torch.tanh(self.norm(self.linear(x)))
        self.pause[0] = 0
        return y
