"""Lets its kernel write into the output and then writes PyTorch's answer over it.

Tries: to be credited for a kernel in C++, past a check that the kernel writes to the output.
Might work: the kernel does get the output's own memory.

problem: relu
expect: rejected
target: cpp
platform: cpu
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import nn

SOURCE = """
void relu(const float *x, float *y, long n) {
    for (long i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : 0;
}
"""


def build():
    folder = Path(tempfile.mkdtemp())
    (folder / "relu.c").write_text(SOURCE)
    command = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(folder / "relu.so"), str(folder / "relu.c")]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(folder / "relu.so"))
    library.relu.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
    return library.relu


RELU = build()


def kernel(x):
    y = torch.empty_like(x)
    RELU(x.data_ptr(), y.data_ptr(), x.numel())
    return y



class ModelNew(nn.Module):
    def forward(self, x):
        return kernel(x).copy_(torch.relu(x))
