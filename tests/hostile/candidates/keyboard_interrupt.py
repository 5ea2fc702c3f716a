"""Raises ``KeyboardInterrupt`` in ``forward``.

Tries: to end the whole run as if its user had asked for it.
Might work: ``KeyboardInterrupt`` is no ``Exception`` and is usually let through.

problem: relu
expect: runtime_failed|crashed|rejected
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        raise KeyboardInterrupt
