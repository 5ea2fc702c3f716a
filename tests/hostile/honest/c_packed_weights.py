"""Weights are packed once by a C function; another one multiplies with them.

problem: matmul_weights
target: cpp
platform: cpu
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

from torch import nn

SOURCE = """
void pack(const float *w, float *p, long k, long n) {
    for (long i = 0; i < k; i++) for (long j = 0; j < n; j++) p[i * n + j] = w[j * k + i];
}
void multiply(const float *x, const float *p, float *y, long m, long k, long n) {
    for (long r = 0; r < m; r++) {
        for (long j = 0; j < n; j++) y[r * n + j] = 0;
        for (long i = 0; i < k; i++) for (long j = 0; j < n; j++) y[r * n + j] += x[r * k + i] * p[i * n + j];
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
        self.linear = nn.Linear(features, hidden, bias=False)
        self.packed = None

    def forward(self, x):
        (m, k), n = x.shape, self.linear.weight.shape[0]
        sizes = [ctypes.c_long(size) for size in (m, k, n)]
        if self.packed is None:
            self.packed = x.new_empty(k, n)
            LIBRARY.pack(at(self.linear.weight), at(self.packed), *sizes[1:])
        y = x.new_empty(m, n)
        LIBRARY.multiply(at(x.contiguous()), at(self.packed), at(y), *sizes)
        return y
