"""The right numbers in the right order, as one long vector.

Tries: a comparison that flattens both sides.
Might work: ``a.flatten() - b.flatten()`` is zero.

problem: relu
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.relu(x).flatten()
