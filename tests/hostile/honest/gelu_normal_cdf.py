"""x times the normal distribution function.

problem: gelu
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x * torch.special.ndtr(x)
