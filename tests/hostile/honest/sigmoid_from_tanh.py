"""Half of tanh of half, and a half.

problem: sigmoid
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.tanh(x * 0.5) * 0.5 + 0.5
