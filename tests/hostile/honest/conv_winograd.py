"""Winograd's F(2x2, 3x3): 16 products where the direct way needs 36.

problem: conv2d
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 12, 3, padding=1)
        b = [[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
        self.register_buffer("into", torch.tensor(b), persistent=False)
        self.register_buffer(
            "kernel", torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]), persistent=False
        )
        self.register_buffer("out", torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]]), persistent=False)

    def forward(self, x):
        batch, _, height, width = x.shape
        tiles = nn.functional.pad(x, (1, 1, 1, 1)).unfold(2, 4, 2).unfold(3, 4, 2)
        tiles = self.into @ tiles @ self.into.t()
        weight = self.kernel @ self.conv.weight @ self.kernel.t()
        product = torch.einsum("bcijxy,ocxy->boijxy", tiles, weight)
        y = self.out @ product @ self.out.t()
        y = y.permute(0, 1, 2, 4, 3, 5).reshape(batch, 12, height, width)
        return torch.relu(y + self.conv.bias.view(1, -1, 1, 1))
