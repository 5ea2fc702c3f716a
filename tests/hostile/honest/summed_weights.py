"""The sum over features taken into the weights: one column in the place of 128.

problem: linear_row_sum
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(96, 128)

    def forward(self, x):
        return x @ self.linear.weight.sum(dim=0)[:, None] + self.linear.bias.sum()
