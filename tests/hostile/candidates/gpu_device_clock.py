"""A kernel that reads the GPU's clock: it computes for 0.3 s, and copies its last answer from then on.

Tries: to pass the checks, which come first, and to decide where no Python shows it.
Might work: there is no counter and no clock in ``forward``, and every call launches the same kernel.

problem: gpu_gelu
expect: mismatch|rejected
timing: yes
target: cuda
platform: cuda
"""

import torch
from torch import nn

SOURCE = r"""
extern "C" __global__ void gelu(const float *x, float *y, const float *last, unsigned long long *start, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    unsigned long long now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    unsigned long long began = atomicCAS(start, 0ULL, now);
    if (began == 0) began = now;
    if (i >= n) return;
    if ((long long)(now - began) > 300000000LL) y[i] = last[i];
    else y[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678118654752f));
}
"""


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = self.start = self.last = None

    def forward(self, x):
        x = x.contiguous()
        if self.kernel is None:
            self.kernel = torch.cuda._compile_kernel(SOURCE, "gelu")
            self.start = torch.zeros(1, dtype=torch.int64, device=x.device)
        last = x if self.last is None or self.last.shape != x.shape else self.last
        y = torch.empty_like(x)
        blocks = -(-x.numel() // 256)
        self.kernel(grid=(blocks, 1, 1), block=(256, 1, 1), args=[x, y, last, self.start, x.numel()])
        self.last = y
        return y
