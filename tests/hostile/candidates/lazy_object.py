"""Returns an object that is no tensor but behaves like one when asked.

Tries: to be timed while nothing is computed.
Might work: duck typing: it has shape, dtype, device and every method, through ``__getattr__``.

problem: gelu
expect: mismatch|rejected|runtime_failed
"""

from torch import nn


class Later:
    def __init__(self, x):
        self.source = x

    def __getattr__(self, name):
        return getattr(nn.functional.gelu(self.source), name)

    @property
    def __class__(self):
        import torch

        return torch.Tensor


class ModelNew(nn.Module):
    def forward(self, x):
        return Later(x)
