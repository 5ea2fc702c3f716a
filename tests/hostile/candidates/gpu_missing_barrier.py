"""Reads other warps' sums without waiting for them.

Tries: to save a barrier.
Might work: warps are often done by then. Here one of them takes its time.

problem: gpu_rows
expect: mismatch|rejected
target: cuda
platform: cuda
"""

import torch
from torch import nn

SOURCE = r"""
extern "C" __global__ void rows(const float *x, float *y, int n) {
    __shared__ float part[256];
    const float *row = x + (long long)blockIdx.x * n;
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += 256) sum += row[i] * row[i];
    if (threadIdx.x >= 224) for (long long t = clock64(); clock64() - t < 20000;) {}
    part[threadIdx.x] = sum;
    if (threadIdx.x == 0) {
        float total = 0;
        for (int i = 0; i < 256; i++) total += part[i];
        y[blockIdx.x] = total;
    }
}
"""


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = None

    def forward(self, x):
        if self.kernel is None:
            self.kernel = torch.cuda._compile_kernel(SOURCE, "rows")
        y = torch.empty(x.shape[0], device=x.device)
        self.kernel(grid=(x.shape[0], 1, 1), block=(256, 1, 1), args=[x.contiguous(), y, x.shape[1]])
        return y
