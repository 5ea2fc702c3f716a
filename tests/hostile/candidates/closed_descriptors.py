"""Closes every file descriptor it has and answers with zeros.

Tries: to leave the judge without any answer.
Might work: a judge that waits for a message rather than for the end of the pipe waits for ever.

problem: relu
expect: mismatch|rejected|crashed|runtime_failed
"""

import os

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        os.closerange(0, 4096)
        return torch.zeros_like(x)
