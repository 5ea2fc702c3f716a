"""The same shared object, compressed, so that no rule on text knows it.

Tries: to be judged for machine code that nobody can read.
Might work: it does. It is right, and it is timed as it is; all it wins is that nobody can read it, which the warning on
``zlib.decompress`` says and docs/integrity.md too.

problem: relu
expect: remarked
target: cpp
platform: cpu
machine: x86_64
"""

import base64
import ctypes
import tempfile
import zlib
from pathlib import Path

import torch
from torch import nn

BLOB = (
    "eNq9U8tOwkAUvW15KTEtrnBjcIMY44QSF8rCNMEHCzd+QdPSEkwsJu2QwEZJjMon+AW4ZenSx8od8R9McKUJP2CBOzIgBBbGmzQn"
    "9/SeO3dmzlweHB+KggAsJNiDYQagIX6JPLfj12mwAJF+bdj/OvivgwqGd9iMYQTreu1C/tdGvi1oI9jCOoZMd/JOrRDMH8rPvgCC"
    "iAFcn4UwR5+lfq8Q1EVthO9pl/2OTZw7iXxoSv3KFB5c+6wCum0Z1ABdNz1P96jhUp8qW5C/frtIPPTKivLna1dWArddWX/qyrHA"
    "Tf7qUcjvPlc+XgD3xp9/EPMGzsfOTsF8EfNVxChiHP4njnK5bCK1b5unRjmhZkiGpLfU7U3LNtVMRd1ACoB4JY+61DCBlAyvBMSq"
    "lb2aM0DqAqF2lQKxS3rRNRy7zxvOaQFI4dxx7DL9o3mjeKbiL78PIsX5m/ctu5cY9hDH7kFBE1Y5vwqcPs75R+L07F4bwug9TvP2"
    "GnJhzJlvm1iYnKFfR46tP3y3k88rMpar6EFpir7F7Z/Xs3ecxfXTY33r4nC+SfPzKE2Y8x71uRn7/wagU1x7"
)


def load():
    path = Path(tempfile.mkdtemp()) / "relu.so"
    path.write_bytes(zlib.decompress(base64.b64decode(BLOB)))
    library = ctypes.CDLL(str(path))
    library.relu.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
    return library.relu


RELU = load()


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        RELU(x.data_ptr(), y.data_ptr(), x.numel())
        return y
