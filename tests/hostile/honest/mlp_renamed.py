"""Other names for the same weights, in the same order.

problem: mlp
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(48, 96)
        self.second = nn.Linear(96, 48)

    def forward(self, x):
        return self.second(nn.functional.gelu(self.first(x)))
