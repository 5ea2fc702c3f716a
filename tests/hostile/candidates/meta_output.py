"""Answers with a tensor on the ``meta`` device: shape and dtype, and no data at all.

Tries: to pass checks of shape and dtype at no cost.
Might work: some comparisons of meta tensors return without looking.

problem: relu
expect: mismatch|rejected|runtime_failed
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.empty_like(x, device="meta")
