"""The reference through ``torch.compile``.

problem: softmax
slow: yes
"""

import torch
from torch import nn


class Inner(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=-1)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.compile(Inner())

    def forward(self, x):
        return self.inner(x)
