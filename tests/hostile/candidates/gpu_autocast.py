"""The product under autocast.

Tries: to lower the precision in words that look like good practice.
Might work: autocast is what one is told to use.

problem: gpu_matmul
expect: mismatch
platform: cuda
"""

import torch
from torch import nn

class ModelNew(nn.Module):
    def forward(self, a, b):
        with torch.autocast("cuda", dtype=torch.bfloat16):
            return torch.matmul(a, b).float()
