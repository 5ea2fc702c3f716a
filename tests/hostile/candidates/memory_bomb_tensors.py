"""Takes 6 GiB of tensors, swallowing every error, and then answers rightly.

Tries: to live on after a refused allocation, at the edge of the limit.
Might work: an allocation error that is caught leaves no trace.

problem: relu
expect: out_of_memory
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        kept = []
        for _ in range(96):
            kept.append(torch.full((16 << 20,), 1.0))
        return torch.relu(x) + 0.0 * len(kept)
