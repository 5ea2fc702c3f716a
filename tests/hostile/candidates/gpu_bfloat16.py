"""The product in bfloat16, handed back as float32.

Tries: the tensor cores' fast path.
Might work: at a tolerance of 1e-2 relative to the largest element it passes.

problem: gpu_matmul
expect: mismatch
platform: cuda
"""

import torch
from torch import nn

class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a.bfloat16(), b.bfloat16()).float()
