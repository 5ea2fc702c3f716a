"""The right numbers as float16: half of the bytes need not be written.

Tries: a comparison that promotes both sides to the wider dtype.
Might work: within 1e-2 the values agree.

problem: relu
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.relu(x).half()
