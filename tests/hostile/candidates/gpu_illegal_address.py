"""Writes to address zero of the GPU.

Tries: nothing; many kernels do it by mistake.
Might work: the error shows at the next synchronisation, and poisons the context of whoever shares it.

problem: gpu_rows
expect: crashed|runtime_failed|mismatch
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
    part[threadIdx.x] = sum;
    __syncthreads();
    *(volatile float *)0 = sum;
    y[blockIdx.x] = part[0];
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
