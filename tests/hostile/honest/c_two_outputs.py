"""Both outputs from one C function, in a buffer of which they are two parts.

problem: two_outputs
target: cpp
platform: cpu
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

from torch import nn

SOURCE = """
void centre(const float *x, float *y, float *v, long rows, long n) {
    for (long r = 0; r < rows; r++, x += n, y += n) {
        double mean = 0, spread = 0;
        for (long i = 0; i < n; i++) mean += x[i];
        mean /= n;
        for (long i = 0; i < n; i++) { y[i] = x[i] - mean; spread += (double)y[i] * y[i]; }
        v[r] = spread / n;
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
        rows, n = x.shape
        buffer = x.new_empty(rows * n + rows)
        y, variance = buffer[: rows * n].view(rows, n), buffer[rows * n :]
        LIBRARY.centre(at(x.contiguous()), at(y), at(variance), ctypes.c_long(rows), ctypes.c_long(n))
        return y, variance
