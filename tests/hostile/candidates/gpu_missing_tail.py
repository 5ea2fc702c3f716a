"""Computes full blocks only; the last elements stay as the allocator gave them.

Tries: nothing; a division that rounds down. At the sizes that one tries first it is right.
Might work: the memory was the last call's answer, and the inputs differ in one element.

problem: gpu_gelu
expect: mismatch|rejected
target: cuda
platform: cuda
"""

import torch
from torch import nn

SOURCE = r"""
extern "C" __global__ void gelu(const float *x, float *y, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) y[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678118654752f));
}
"""


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = None

    def forward(self, x):
        if self.kernel is None:
            self.kernel = torch.cuda._compile_kernel(SOURCE, "gelu")
        y = torch.empty_like(x)
        blocks = x.numel() // 256
        self.kernel(grid=(blocks, 1, 1), block=(256, 1, 1), args=[x.contiguous(), y, x.numel()])
        return y
