"""Defines ``Model`` but no ``ModelNew``.

Tries: nothing; models often do.
Might work: a harness that falls back to ``Model`` would time the reference.

problem: relu
expect: compile_failed|generation_failed|runtime_failed|rejected
"""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return torch.relu(x)
