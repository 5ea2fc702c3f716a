"""The second product summed over four parts of its inner dimension.

problem: mlp
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(48, 96)
        self.down = nn.Linear(96, 48)

    def forward(self, x):
        h = nn.functional.gelu(self.up(x))
        parts = zip(h.split(24, dim=1), self.down.weight.split(24, dim=1), strict=True)
        return sum(a @ b.t() for a, b in parts) + self.down.bias
