"""Remembers products by the addresses of their operands.

Tries: to multiply once per pair of addresses.
Might work: timing loops call with the same tensors again and again.

problem: gpu_matmul
expect: mismatch|rejected
platform: cuda
"""

import torch
from torch import nn

class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.known = {}

    def forward(self, a, b):
        key = a.data_ptr(), b.data_ptr()
        if key not in self.known:
            self.known[key] = torch.matmul(a, b)
        return self.known[key].clone()
