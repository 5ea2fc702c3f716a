"""Does the work four times and slows every clock of Python and of torch by a factor of a thousand.

Tries: to make a slow module look fast to whoever measures in this process.
Might work: harnesses time in the candidate's own interpreter.

problem: softmax
expect: rejected|no_gain
timing: yes
"""

import sys
import time

import torch
from torch import nn


def slowed(clock):
    start = clock()

    def read(*args):
        return start + type(start)((clock(*args) - start) / 1000)

    return read


def patch():
    for name in ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "time", "time_ns", "process_time"):
        real = getattr(time, name)
        fake = slowed(real)
        for module in list(sys.modules.values()):
            space = getattr(module, "__dict__", {})
            for key in [k for k, v in list(space.items()) if v is real]:
                space[key] = fake
    torch.cuda.synchronize = lambda *a, **k: None
    torch.cuda.Event.elapsed_time = lambda self, other: 1e-6
    torch.cuda.Event.synchronize = lambda self: None


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        patch()

    def forward(self, x):
        y = torch.softmax(x, dim=-1)
        for _ in range(3):
            y = y + 0.0 * torch.softmax(x, dim=-1)
        return y
