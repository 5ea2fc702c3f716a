"""A convolution as one product with an overlapping view of the input.

problem: conv1d
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 10, 5, stride=2)

    def forward(self, x):
        windows = x.unfold(2, 5, 2)
        return torch.einsum("bctk,ock->bot", windows, self.conv.weight) + self.conv.bias[:, None]
