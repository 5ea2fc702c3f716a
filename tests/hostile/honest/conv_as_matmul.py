"""A convolution as unfold and a matrix product.

problem: conv2d
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 12, 3, padding=1)

    def forward(self, x):
        columns = nn.functional.unfold(x, 3, padding=1)
        y = self.conv.weight.view(12, -1) @ columns + self.conv.bias[:, None]
        return torch.relu(y).view(x.shape[0], 12, *x.shape[2:])
