"""Both pools from the four corners of each window.

problem: pooling
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        a, b = x[:, :, ::2, ::2], x[:, :, ::2, 1::2]
        c, d = x[:, :, 1::2, ::2], x[:, :, 1::2, 1::2]
        return {"mean": (a + b + c + d) * 0.25, "largest": torch.maximum(torch.maximum(a, b), torch.maximum(c, d))}
