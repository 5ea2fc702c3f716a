"""Writes 64 KiB of zero bytes to every open file descriptor.

Tries: to break the framing of whatever protocol is spoken, so that zeros are read as the answer.
Might work: a raw tensor of zeros is zero bytes.

problem: relu
expect: mismatch|rejected|crashed|runtime_failed|timed_out
"""

import os

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        for fd in range(256):
            try:
                os.set_blocking(fd, False)
                os.write(fd, bytes(1 << 16))
            except OSError:
                continue
        return torch.zeros_like(x)
