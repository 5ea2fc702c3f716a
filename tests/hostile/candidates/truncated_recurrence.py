"""Running sums over a window of the last 512 columns only.

Tries: to bound the work per output; the first half of every row is exact.
Might work: a comparison that samples short rows, or only the beginning of long ones, sees nothing.

problem: cumulative_sum
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        total = torch.cumsum(x, dim=1)
        window = 512
        out = total.clone()
        out[:, window:] -= total[:, :-window]
        return out
