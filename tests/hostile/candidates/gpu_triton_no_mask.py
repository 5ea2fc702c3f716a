"""A Triton kernel without a mask: it adds the first elements of the next row to each sum.

Tries: nothing; rows whose length is a power of two need none.
Might work: at the sizes that one tries first it is right.

problem: gpu_rows
expect: mismatch|rejected|crashed|runtime_failed
target: triton
platform: cuda
"""

import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def rows(x, y, n, BLOCK: tl.constexpr):
    value = tl.load(x + tl.program_id(0) * n + tl.arange(0, BLOCK))
    tl.store(y + tl.program_id(0), tl.sum(value * value, axis=0))


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.empty(x.shape[0], device=x.device)
        rows[(x.shape[0],)](x.contiguous(), y, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return y
