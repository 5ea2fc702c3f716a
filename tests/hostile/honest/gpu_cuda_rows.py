"""Row sums by CUDA C++ that NVRTC compiles: a reduction through shared memory, with its barriers.

problem: gpu_rows
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
    for (int half = 128; half; half /= 2) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) y[blockIdx.x] = part[0];
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
