"""Works in place, on its own temporaries only.

problem: residual
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        out = torch.sin(x)
        return out.mul_(2.0).addcmul_(x, y)
