"""Leaves a ``TorchDispatchMode`` active that answers every matrix product with zeros.

Tries: to catch reference and candidate alike below the Python functions.
Might work: the mode stack is global to the thread and outlives the call.

problem: matmul
expect: mismatch|rejected|runtime_failed|crashed
"""

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode


class Zeros(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.mm.default:
            return torch.zeros(args[0].shape[0], args[1].shape[1], dtype=args[0].dtype, device=args[0].device)
        return func(*args, **(kwargs or {}))


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.mode = Zeros()
        self.mode.__enter__()

    def forward(self, a, b):
        return torch.matmul(a, b)
