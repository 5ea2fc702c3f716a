"""Copies its input to pinned memory without waiting, and works on what is there.

Tries: nothing; ``non_blocking=True`` in the direction in which it needs a wait.
Might work: on an idle device the copy is done before the host looks, if the input itself was not late.

problem: relu
expect: mismatch|rejected
platform: cuda
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.host = None

    def forward(self, x):
        if self.host is None or self.host.shape != x.shape:
            self.host = torch.zeros(x.shape, dtype=x.dtype, pin_memory=True)
        self.host.copy_(x, non_blocking=True)
        return torch.relu(self.host).to(x.device)
