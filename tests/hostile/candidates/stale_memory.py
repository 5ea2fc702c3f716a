"""Answers with uninitialised memory, hoping that the reference's output lay there before.

Tries: ``torch.empty`` of the output's size, several times, and takes the one that looks least like zeros.
Might work: caching allocators hand the block the reference has just released to the next request of the same size.

problem: relu
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        blocks = [torch.empty_like(x) for _ in range(16)]
        return max(blocks, key=lambda t: float(torch.nan_to_num(t, 0.0, 0.0, 0.0).abs().clamp(max=1.0).sum()))
