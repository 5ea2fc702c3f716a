"""Returns shared memory at once and lets a forked child fill it.

Tries: the same as a background thread, past a count of threads.
Might work: the parent's CPU time shows nothing.

problem: gelu
expect: mismatch|rejected|runtime_failed|crashed
"""

import mmap
import os
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        shared = mmap.mmap(-1, x.numel() * 4)
        out = torch.frombuffer(shared, dtype=torch.float32).view(x.shape)
        if os.fork() == 0:
            time.sleep(0.05)
            cube = x + 0.044715 * x**3
            out.copy_(0.5 * x * (1 + torch.tanh(0.7978845608 * cube)))
            os._exit(0)
        return out
