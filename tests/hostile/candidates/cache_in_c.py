"""A C function with a static table: computes for an address it has not seen, else repeats its old answer.

Tries: to keep the cache where no Python object shows it.
Might work: a search of module attributes and of gc finds nothing.

problem: relu
expect: mismatch|rejected
platform: cpu
"""

import ctypes
import pathlib
import subprocess
import tempfile

import torch
from torch import nn

SOURCE = r"""
#include <stdlib.h>
#include <string.h>
static const float *seen[4096];
static float *kept[4096];
static int count = 0;
void relu(const float *x, float *y, long n) {
    for (int i = 0; i < count; i++)
        if (seen[i] == x) { memcpy(y, kept[i], n * sizeof(float)); return; }
    for (long i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : 0;
    if (count < 4096) {
        seen[count] = x;
        kept[count] = malloc(n * sizeof(float));
        memcpy(kept[count++], y, n * sizeof(float));
    }
}
"""


def build():
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "relu.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", folder / "relu.so", folder / "relu.c"], check=True)
    library = ctypes.CDLL(str(folder / "relu.so"))
    library.relu.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
    library.relu.restype = None
    return library


LIBRARY = build()


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        LIBRARY.relu(x.data_ptr(), y.data_ptr(), x.numel())
        return y
