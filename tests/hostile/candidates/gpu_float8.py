"""The product of operands that were rounded to eight bits.

Tries: the fastest path that a GPU has.
Might work: where outputs are sums of thousands of terms, a tolerance relative to the largest lets much through.

problem: gpu_matmul
expect: mismatch
platform: cuda
"""

import torch
from torch import nn


def rounded(x):
    unit = x.abs().amax().clamp(min=1e-30) / 256.0
    return (x / unit).to(torch.float8_e4m3fn).float() * unit


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.matmul(rounded(a), rounded(b))
