"""A product by PyTorch, the rest of the layer in C.

problem: linear_norm
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
void norm_tanh(const float *x, const float *w, const float *b, float *y, long rows, long n) {
    for (long r = 0; r < rows; r++, x += n, y += n) {
        double mean = 0, spread = 0;
        for (long i = 0; i < n; i++) mean += x[i];
        mean /= n;
        for (long i = 0; i < n; i++) spread += (x[i] - mean) * (x[i] - mean);
        float factor = 1 / sqrt(spread / n + 1e-5);
        for (long i = 0; i < n; i++) y[i] = tanhf((x[i] - (float)mean) * factor * w[i] + b[i]);
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
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x):
        h = self.linear(x)
        y = torch.empty_like(h)
        rows, n = (ctypes.c_long(size) for size in h.shape)
        LIBRARY.norm_tanh(at(h), at(self.norm.weight), at(self.norm.bias), at(y), rows, n)
        return y
