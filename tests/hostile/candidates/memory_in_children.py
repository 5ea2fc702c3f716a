"""Spreads 6 GiB over four children, and answers with zeros.

Tries: to stay below a limit that counts one process.
Might work: address-space limits are per process.

problem: relu
expect: out_of_memory|rejected|runtime_failed|crashed|mismatch
"""

import os
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.done = False

    def forward(self, x):
        if not self.done:
            self.done = True
            for _ in range(4):
                if os.fork() == 0:
                    kept = [bytearray(b"x") * (64 << 20) for _ in range(24)]
                    time.sleep(10 + 0 * len(kept))
                    os._exit(0)
            time.sleep(1.0)
        return torch.zeros_like(x)
