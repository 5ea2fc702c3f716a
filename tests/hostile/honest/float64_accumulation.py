"""Running sums accumulated in float64: more exact than eager.

problem: cumulative_sum
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.cumsum(x, dim=1, dtype=torch.float64).to(x.dtype)
