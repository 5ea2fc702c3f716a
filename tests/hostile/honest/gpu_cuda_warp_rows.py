"""Row sums by shuffles within warps, one atomic addition for each warp: not bitwise repeatable, and exact enough.

problem: gpu_rows
target: cuda
platform: cuda
"""

import torch
from torch import nn

SOURCE = r"""
extern "C" __global__ void rows(const float *x, float *y, int n) {
    const float *row = x + (long long)blockIdx.x * n;
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += 256) sum += row[i] * row[i];
    for (int lane = 16; lane; lane /= 2) sum += __shfl_down_sync(0xffffffff, sum, lane);
    if (threadIdx.x % 32 == 0) atomicAdd(y + blockIdx.x, sum);
}
"""


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = None

    def forward(self, x):
        if self.kernel is None:
            self.kernel = torch.cuda._compile_kernel(SOURCE, "rows")
        y = torch.zeros(x.shape[0], device=x.device)
        self.kernel(grid=(x.shape[0], 1, 1), block=(256, 1, 1), args=[x.contiguous(), y, x.shape[1]])
        return y
