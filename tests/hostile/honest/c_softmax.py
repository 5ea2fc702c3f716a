"""A softmax in C: three passes over each row.

problem: softmax
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
void softmax(const float *x, float *y, long rows, long n) {
    for (long r = 0; r < rows; r++, x += n, y += n) {
        float top = x[0], sum = 0;
        for (long i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
        for (long i = 0; i < n; i++) sum += y[i] = expf(x[i] - top);
        for (long i = 0; i < n; i++) y[i] /= sum;
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
    def __init__(self):
        super().__init__()

    def forward(self, x):
        y = torch.empty_like(x)
        LIBRARY.softmax(at(x.contiguous()), at(y), ctypes.c_long(x.shape[0]), ctypes.c_long(x.shape[1]))
        return y
