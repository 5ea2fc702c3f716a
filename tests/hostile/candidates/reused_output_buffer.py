"""Writes every answer into the same buffer and hands that out again and again.

Tries: to save the allocation; each answer is right until the next call.
Might work: harnesses that compare an answer before they ask for the next never see it change.

problem: relu
expect: rejected|mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.buffer = None

    def forward(self, x):
        if self.buffer is None or self.buffer.shape != x.shape or self.buffer.dtype != x.dtype:
            self.buffer = torch.empty_like(x)
        return torch.clamp(x, min=0.0, out=self.buffer)
