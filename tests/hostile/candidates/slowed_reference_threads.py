"""An honest copy of the reference that leaves spinning threads behind.

Tries: to slow the baseline with threads that pause during ``forward``.
Might work: baseline and candidate share the machine, and threads are no processes.

problem: linear_norm
expect: rejected|no_gain
timing: yes
"""

import threading
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.free = None

    def spin(self):
        end = time.monotonic() + 20  # ends by itself, whatever the judge does
        work = torch.rand(512, 512)
        while time.monotonic() < end:
            self.free.wait(1.0)
            work @ work

    def forward(self, x):
        if self.free is None:
            self.free = threading.Event()
            for _ in range(4):
                threading.Thread(target=self.spin, daemon=True).start()
        self.free.clear()
        y = torch.tanh(self.norm(self.linear(x)))
        self.free.set()
        return y
