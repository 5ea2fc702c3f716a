"""Writes far behind the end of its shared memory.

Tries: nothing; a wrong index. The hardware may trap or not.
Might work: where it does not trap, the answer is right by luck.

problem: gpu_rows
expect: crashed|runtime_failed|mismatch|rejected
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
    volatile float *far = part + (1 << 20);
    far[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        float total = 0;
        for (int i = 0; i < 256; i++) total += part[i];
        y[blockIdx.x] = total + far[0] - sum;
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
