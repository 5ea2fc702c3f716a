"""Answers with a file whose header lies about its own size.

Tries: to make whoever reads the answer take memory that nobody has, or read behind the end of the file.
Might work: sizes in headers are believed.

problem: relu
expect: rejected
"""

import json
import os
import sys

import torch
from torch import nn


def forge(value, **_):
    header = {
        "tree": {"d": [["outputs", {"t": 0}], ["inputs", {"v": None}]]},
        "tensors": [{"dtype": "float32", "shape": [1 << 40], "order": None, "offset": -64, "nbytes": 1 << 42}],
    }
    text = json.dumps(header).encode()
    fd = os.memfd_create("forged")
    os.write(fd, b"KWTENSOR" + len(text).to_bytes(8, "little") + text)
    return fd


class ModelNew(nn.Module):
    def forward(self, x):
        sys.modules["kernelwright.judge.wire"].pack = forge
        return torch.zeros_like(x)
