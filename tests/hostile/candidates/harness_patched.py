"""Answers with zeros and replaces every function of the judge that it can reach.

Tries: to make each of them say that all is well.
Might work: ``sys.modules`` lists the harness when it lives in the same interpreter.

problem: relu
expect: mismatch|rejected|crashed|runtime_failed|timed_out
"""

import sys
import types

import torch
from torch import nn


def patch():
    words = ("compare", "check", "close", "equal", "verify", "error", "mismatch", "status", "accur")
    for name, module in list(sys.modules.items()):
        if not name.startswith("kernelwright") and name != "__main__":
            continue
        for key, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType) and any(word in key.lower() for word in words):
                setattr(module, key, lambda *a, **k: True)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        patch()

    def forward(self, x):
        return torch.zeros_like(x)
