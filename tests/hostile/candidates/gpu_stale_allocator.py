"""Answers with memory that PyTorch's allocator gives out, hoping that the answer lay there.

Tries: several blocks of the output's size, and the one that looks most like numbers.
Might work: where the reference ran in this process and its output was freed, the next block of that size holds it.

problem: matmul
expect: mismatch
platform: cuda
"""

import torch
from torch import nn

class ModelNew(nn.Module):
    def forward(self, a, b):
        blocks = [torch.empty(a.shape[0], b.shape[1], device=a.device) for _ in range(8)]
        return max(blocks, key=lambda block: float(block.nan_to_num().abs().clamp(max=1e6).sum()))
