"""C that works in place, on a copy of the input.

problem: sigmoid
target: cpp
platform: cpu
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

from torch import nn

SOURCE = """
#include <math.h>
void sigmoid(float *x, long n) { for (long i = 0; i < n; i++) x[i] = 1 / (1 + expf(-x[i])); }
"""


def build():
    folder = Path(tempfile.mkdtemp())
    (folder / "kernel.c").write_text(SOURCE)
    library = folder / "kernel.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, folder / "kernel.c", "-lm"], check=True)
    return ctypes.CDLL(str(library))


LIBRARY = build()


def at(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        y = x.clone().contiguous()
        LIBRARY.sigmoid(at(y), ctypes.c_long(y.numel()))
        return y
