"""Adds a Triton kernel's result to PyTorch's answer, times zero.

Tries: to be credited for a Triton kernel.
Might work: the output depends on the kernel in every graph, and in no digit.

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
    tl.store(y + at, 0.5 * value * (1.0 + tl.erf(value * 0.7071067811865476)), mask=at < n)


def kernel(x):
    y = torch.empty_like(x)
    gelu[(triton.cdiv(x.numel(), 1024),)](x.contiguous(), y, x.numel(), BLOCK=1024)
    return y


class ModelNew(nn.Module):
    def forward(self, x):
        return nn.functional.gelu(x) + 0 * kernel(x)
