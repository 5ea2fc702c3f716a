"""Raises ``SystemExit(0)`` in ``forward``.

Tries: to pass ``except Exception`` and to end the process as if all were well.
Might work: ``SystemExit`` is no ``Exception``.

problem: relu
expect: runtime_failed|crashed|rejected
"""

import sys

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        sys.exit(0)
