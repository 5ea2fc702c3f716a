"""The product in float16, handed back as float32.

Tries: the tensor cores' fast path.
Might work: eleven bits pass 1e-2.

problem: gpu_matmul
expect: mismatch|rejected
platform: cuda
"""

import torch
from torch import nn

class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a.half(), b.half()).float()
