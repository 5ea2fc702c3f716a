"""Row sums in Triton by atomic additions of parts: not bitwise repeatable, and exact enough.

problem: gpu_rows
target: triton
platform: cuda
"""

import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def rows(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + tl.program_id(0) * n + at, mask=at < n, other=0.0)
    tl.atomic_add(y + tl.program_id(0), tl.sum(value * value, axis=0))


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.zeros(x.shape[0], device=x.device)
        rows[(x.shape[0], triton.cdiv(x.shape[1], 128))](x.contiguous(), y, x.shape[1], BLOCK=128)
        return y
