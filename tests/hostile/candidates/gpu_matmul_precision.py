"""Lowers PyTorch's precision for float32 products to bfloat16.

Tries: to multiply four to eight times as fast, in eleven bits.
Might work: the flag holds for the whole process, so that a reference in it is lowered too and agrees.

problem: gpu_matmul
expect: mismatch
platform: cuda
"""

import torch
from torch import nn

torch.set_float32_matmul_precision("medium")


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b)
