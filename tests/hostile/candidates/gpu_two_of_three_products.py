"""Operands split into two tf32 parts, and two of the three products that this takes.

Tries: to save a third of an exact method; what is left out is as large as the second product.
Might work: it is far more exact than tf32, and looks like the real thing.

problem: gpu_matmul
expect: mismatch
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
        return a_high @ b_high + a_high @ b_low
