"""A norm in C that reads the scale.

problem: rms_norm
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
#include <math.h>
void rms_norm(const float *x, const float *w, float *y, long rows, long n) {
    for (long r = 0; r < rows; r++, x += n, y += n) {
        double sum = 0;
        for (long i = 0; i < n; i++) sum += (double)x[i] * x[i];
        float factor = 1 / sqrt(sum / n + 1e-6);
        for (long i = 0; i < n; i++) y[i] = x[i] * factor * w[i];
    }
}
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
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        y = torch.empty_like(x)
        rows, n = (ctypes.c_long(size) for size in x.shape)
        LIBRARY.rms_norm(at(x.contiguous()), at(self.weight), at(y), rows, n)
        return y
