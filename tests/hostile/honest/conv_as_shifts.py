"""A convolution as nine shifted products.

problem: conv2d
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 12, 3, padding=1)

    def forward(self, x):
        padded = nn.functional.pad(x, (1, 1, 1, 1))
        height, width = x.shape[2:]
        y = self.conv.bias.view(1, -1, 1, 1)
        for row in range(3):
            for column in range(3):
                part = padded[:, :, row : row + height, column : column + width]
                y = y + torch.einsum("bchw,oc->bohw", part, self.conv.weight[:, :, row, column])
        return torch.relu(y).contiguous()
