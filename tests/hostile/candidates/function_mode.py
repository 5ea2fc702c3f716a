"""Leaves a ``TorchFunctionMode`` active that makes every operation of torch answer with its first argument.

Tries: to turn comparison, copy and reference alike into no-ops.
Might work: the mode stack is global to the thread and outlives the call.

problem: sigmoid
expect: mismatch|rejected|runtime_failed|crashed
"""

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class FirstArgument(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in ("sigmoid", "allclose", "equal", "sub", "clone", "to", "double"):
            return args[0]
        return func(*args, **(kwargs or {}))


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.mode = FirstArgument()
        self.mode.__enter__()

    def forward(self, x):
        return torch.sigmoid(x)
