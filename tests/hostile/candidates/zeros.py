"""Answers with zeros of the right shape.

Tries: to pass a loose absolute tolerance where the outputs are small.
Might work: zeros pass several published benchmarks whose outputs have a mean near zero.

problem: matmul
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.zeros(a.shape[0], b.shape[1], dtype=a.dtype, device=a.device)
