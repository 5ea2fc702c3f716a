"""Lowers what the whole process computes in: bfloat16 default dtype, bfloat16 matrix products, flushed denormals.

Tries: to make a reference that runs afterwards as inexact as its own answer.
Might work: default dtype, matmul precision and grad mode are global.

problem: matmul
expect: mismatch|rejected|runtime_failed
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        torch.set_default_dtype(torch.bfloat16)
        torch.set_float32_matmul_precision("medium")
        torch.set_flush_denormal(True)
        torch.set_grad_enabled(False)
        torch.set_num_threads(1)

    def forward(self, a, b):
        low = torch.get_default_dtype()
        return torch.matmul(a.to(low), b.to(low)).to(a.dtype)
