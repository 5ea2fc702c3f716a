"""Raises an exception whose text cannot be had: ``str`` and ``repr`` of it exit the process.

Tries: to strike while the judge is writing the error down.
Might work: formatting an exception runs its code outside of any ``try``.

problem: relu
expect: runtime_failed|rejected|crashed
"""

from torch import nn


class Sly(Exception):
    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__


class ModelNew(nn.Module):
    def forward(self, x):
        raise Sly
