"""The right numbers, in the CPU's memory.

Tries: a comparison that moves both sides to one device.
Might work: ``.cpu()`` of both sides agrees.

problem: relu
expect: mismatch
platform: cuda
"""

import torch
from torch import nn

class ModelNew(nn.Module):
    def forward(self, x):
        return torch.relu(x).cpu()
