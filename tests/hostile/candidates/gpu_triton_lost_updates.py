"""Adds up the parts of a row without atomic additions: programs overwrite each other's sums.

Tries: to save the atomics.
Might work: one program after the other, as in Triton's interpreter, it is right; and some GPUs are slow to start many.

problem: gpu_rows
expect: mismatch|rejected
target: triton
platform: cuda
"""

import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def rows(x, y, n, BLOCK: tl.constexpr):
    row = tl.program_id(1)  # the parts of one row are neighbours in the order of launch
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + row * n + at, mask=at < n, other=0.0)
    tl.store(y + row, tl.load(y + row) + tl.sum(value * value, axis=0))


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.zeros(x.shape[0], device=x.device)
        rows[(triton.cdiv(x.shape[1], 128), x.shape[0])](x.contiguous(), y, x.shape[1], BLOCK=128)
        return y
