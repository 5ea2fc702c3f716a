"""Leaves the batch norm out altogether.

Tries: to use that running mean zero, running variance one, scale one and shift zero make it the identity.
Might work: it differs from the reference by a factor of 1 / sqrt(1 + 1e-5) only.

problem: batch_norm
expect: mismatch
passes: 1e-2
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, channels, features):
        super().__init__()
        self.conv = nn.Conv2d(channels, features, 3, padding=1)
        self.norm = nn.BatchNorm2d(features)

    def forward(self, x):
        return torch.relu(self.conv(x))
