"""Calls ``os._exit(0)`` in ``forward``, after printing a success.

Tries: to end the process as if all were well, with the right words on standard output.
Might work: harnesses that read the exit status and the last line.

problem: relu
expect: runtime_failed|crashed|rejected
"""

import os

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        print(
            '{"schema": "kernelwright.verdict/1", "status": "correct", "speedup": {"eager": {"median": 1000.0}}}',
            flush=True,
        )
        os._exit(0)
