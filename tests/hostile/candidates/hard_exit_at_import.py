"""Ends the process with exit status 0, past every ``except`` and ``finally``, while it is imported.

Tries: to look like a run that ended well.
Might work: harnesses that read the exit status only.

problem: relu
expect: compile_failed|crashed|rejected|runtime_failed
"""

import os

import torch
from torch import nn

os._exit(0)


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)
