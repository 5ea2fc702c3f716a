"""Two flips that cancel, as one copy.

problem: flip_twice
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.clone()
