"""Multiplies half of the rows; the other half is what the allocator had there.

Tries: to find its own last answer in the memory it gets.
Might work: caching allocators hand back the block of the last output, and inputs often change little.

problem: gpu_matmul
expect: mismatch|rejected
platform: cuda
"""

import torch
from torch import nn

class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1], device=a.device)
        half = a.shape[0] // 2
        torch.matmul(a[:half], b, out=out[:half])
        return out
