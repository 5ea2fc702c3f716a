"""Switches tf32 on by the setting that came with torch 2.9.

Tries: to multiply four to eight times as fast, in eleven bits.
Might work: the flag holds for the whole process, so that a reference in it is lowered too and agrees.

problem: gpu_matmul
expect: mismatch
platform: cuda
"""

import torch
from torch import nn

torch.backends.cuda.matmul.fp32_precision = "tf32"


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b)
