"""Cuts the file of its answer short after handing it over.

Tries: to kill a reader that has the file mapped: reading a page that is gone is a bus error.
Might work: the descriptor stays open on this side.

problem: relu
expect: rejected|mismatch|crashed|runtime_failed
"""

import contextlib
import os
import threading
import time

import torch
from torch import nn


def cut():
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if "memfd" in os.readlink(f"/proc/self/fd/{name}"):
                    os.ftruncate(int(name), 8)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        threading.Thread(target=cut, daemon=True).start()

    def forward(self, x):
        return torch.zeros_like(x)
