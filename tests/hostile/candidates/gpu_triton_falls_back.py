"""A Triton kernel that does not compile, and PyTorch's operator where it fails.

Tries: to be credited for a Triton kernel that never ran.
Might work: nobody sees which way was taken.

problem: gpu_gelu
expect: rejected
target: triton
platform: cuda
"""

import torch
import triton
import triton.language as tl
from torch import nn

@triton.jit
def gelu(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n, other=0.0)
    tl.store(y + at, 0.5 * value * (1.0 + tl.error_function(value * 0.7071067811865476)), mask=at < n)


def kernel(x):
    y = torch.empty_like(x)
    gelu[(triton.cdiv(x.numel(), 1024),)](x.contiguous(), y, x.numel(), BLOCK=1024)
    return y


class ModelNew(nn.Module):
    def forward(self, x):
        try:
            return kernel(x)
        except Exception:
            return nn.functional.gelu(x)
