"""Operands split into two tf32 parts each, and the three products that this takes, by PyTorch.

problem: gpu_matmul
platform: cuda
"""

import torch
from torch import nn


def split(x):
    high = (x.view(torch.int32) & -8192).view(torch.float32)
    return high, x - high


class ModelNew(nn.Module):
    def forward(self, a, b):
        (a_high, a_low), (b_high, b_low) = split(a), split(b)
        return a_high @ b_high + (a_high @ b_low + a_low @ b_high) + a_low @ b_low
