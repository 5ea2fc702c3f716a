"""Row means in Triton, expanded by PyTorch.

problem: row_mean
target: triton
"""

import triton
import triton.language as tl
from torch import nn


@triton.jit
def mean(x, y, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    row = tl.load(x + tl.program_id(0) * n + at, mask=at < n, other=0.0)
    tl.store(y + tl.program_id(0), tl.sum(row, axis=0) / n)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        y = x.new_empty(x.shape[0], 1)
        mean[(x.shape[0],)](x, y, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return y.repeat(1, x.shape[1])
