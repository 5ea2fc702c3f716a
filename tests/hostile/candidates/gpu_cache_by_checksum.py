"""Remembers products by sums of a few elements, computed on the GPU.

Tries: to multiply once per sample of elements.
Might work: fresh random values never share a sample; only values that return with one element changed do.

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
        key = float(a.flatten()[::4099].sum()), float(b.flatten()[::4099].sum())
        if key not in self.known:
            self.known[key] = torch.matmul(a, b)
        return self.known[key].clone()
