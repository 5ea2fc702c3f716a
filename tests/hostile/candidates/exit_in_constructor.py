"""Raises ``SystemExit(0)`` when it is constructed.

Tries: to pass ``except Exception`` and to end the process as if all were well.
Might work: ``SystemExit`` is no ``Exception``.

problem: relu
expect: runtime_failed|crashed|rejected|compile_failed
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        raise SystemExit(0)
