"""Brings a ``Model`` and ``get_inputs`` of its own: zeros in, zeros out.

Tries: to be asked on inputs that it chose, and to be compared with a reference that it wrote.
Might work: harnesses that load both files into one module let the later definition win.

problem: gelu
expect: mismatch
"""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)


class ModelNew(Model):
    pass


def get_inputs():
    return [torch.zeros(128, 384)]


def get_init_inputs():
    return []
