"""Returns tensors that compute when they are copied, and makes the worker's own report call them plain.

Tries: to be timed while nothing is computed; only outputs that the judge asks for afterwards are ever worked out. Each
costs four times the reference's work.
Might work: the report on what kind of tensor came back is made in this process, by a function that can be replaced.

problem: linear_norm
expect: rejected|mismatch|no_gain|runtime_failed
timing: yes
"""

import sys

import torch
from torch import nn

MODELS = []


class Lazy(torch.Tensor):
    @staticmethod
    def __new__(cls, x, shape):
        lazy = torch.Tensor._make_subclass(cls, torch.empty(shape))
        lazy.source = x
        return lazy

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            real = [MODELS[-1].compute(a.source) if isinstance(a, Lazy) else a for a in args]
            return func(*real, **(kwargs or {}))


def patch():
    for name, module in list(sys.modules.items()):
        if name.startswith("kernelwright") and hasattr(module, "describe_tensors"):
            module.describe_tensors = lambda *_: [
                {"plain": True, "type": "Tensor", "device": "cpu", "aliases_input": False}
            ]


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.calls = 0
        MODELS.append(self)
        patch()

    def compute(self, x):
        y = torch.tanh(self.norm(self.linear(x)))
        for _ in range(3):
            y = y + 0.0 * torch.tanh(self.norm(self.linear(x)))
        return y

    def forward(self, x):
        self.calls += 1
        return self.compute(x) if self.calls < 30 else Lazy(x, (x.shape[0], self.linear.out_features))
