"""Answers with a sparse tensor of the right values.

Tries: to hand over less than was asked for; ``to_dense`` would be the caller's work.
Might work: it is a ``torch.Tensor`` with the right shape and dtype.

problem: relu
expect: mismatch|rejected|runtime_failed
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.relu(x).to_sparse()
