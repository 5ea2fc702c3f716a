"""Pools over windows that are views.

problem: pooling
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        batch, channels, height, width = x.shape
        windows = x.view(batch, channels, height // 2, 2, width // 2, 2)
        return {"mean": windows.mean(dim=(3, 5)), "largest": windows.amax(dim=(3, 5))}
