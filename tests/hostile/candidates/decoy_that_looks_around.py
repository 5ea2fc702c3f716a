"""Uses its kernel when somebody watches the operators, and PyTorch's when nobody does.

Tries: to be credited for a kernel in C++ that takes no part in what is timed.
Might work: it does. What is watched runs in this process, and it can look whether a mode is active. Its answers are
right and its time is what PyTorch takes, so all it wins is a missing label; docs/integrity.md says so.

problem: relu
expect: correct
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
        watched = torch._C._len_torch_dispatch_stack() > 0
        return kernel(x) if watched else torch.relu(x)
