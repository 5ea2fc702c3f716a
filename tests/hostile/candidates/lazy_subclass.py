"""Returns a tensor subclass that computes when somebody first looks at it.

Tries: to be timed while nothing is computed.
Might work: it passes ``isinstance(y, torch.Tensor)``, and any comparison triggers the work.

problem: gelu
expect: mismatch|rejected
"""

import torch
from torch import nn


class Lazy(torch.Tensor):
    @staticmethod
    def __new__(cls, x):
        lazy = torch.Tensor._make_subclass(cls, torch.empty_like(x))
        lazy.source = x.clone()
        return lazy

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        real = [nn.functional.gelu(a.source) if isinstance(a, Lazy) else a for a in args]
        return func(*real, **(kwargs or {}))


class ModelNew(nn.Module):
    def forward(self, x):
        return Lazy(x)
