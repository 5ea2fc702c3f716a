"""The right numbers as float64.

Tries: to pass a comparison that converts both sides first.
Might work: ``torch.allclose`` after ``.float()`` on both sides accepts it.

problem: relu
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.relu(x).double()
