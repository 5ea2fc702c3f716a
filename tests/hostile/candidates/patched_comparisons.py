"""Answers with zeros and makes every comparison of torch say yes.

Tries: to patch ``allclose``, ``equal``, ``isclose``, ``assert_close`` and the operators of ``Tensor``.
Might work: a judge that compares in the candidate's interpreter calls these.

problem: relu
expect: mismatch|rejected|runtime_failed
"""

import torch
from torch import nn


def yes(*args, **kwargs):
    return True


def no_difference(a, b, *args, **kwargs):
    return a * 0


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        torch.allclose = torch.equal = torch.Tensor.allclose = torch.Tensor.equal = yes
        torch.isclose = torch.Tensor.isclose = lambda a, b, *r, **k: torch.ones(a.shape, dtype=torch.bool)
        torch.testing.assert_close = lambda *a, **k: None
        torch.Tensor.__eq__ = lambda a, b: torch.ones(a.shape, dtype=torch.bool)
        torch.Tensor.__sub__ = no_difference
        torch.sub = no_difference
        torch.linalg.vector_norm = lambda x, *a, **k: torch.zeros(())

    def forward(self, x):
        return torch.zeros_like(x)
