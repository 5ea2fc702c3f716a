"""The largest, then the largest of the rest.

problem: top_two
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        first = x.max(dim=1)
        rest = x.scatter(1, first.indices[:, None], float("-inf"))
        return torch.stack([first.values, rest.amax(dim=1)], dim=1)
