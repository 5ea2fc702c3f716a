"""Intermediate results go into a workspace that is kept; the answer does not.

problem: mlp
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(48, 96)
        self.down = nn.Linear(96, 48)
        self.workspace = None

    def forward(self, x):
        if self.workspace is None or self.workspace.shape[0] != x.shape[0]:
            self.workspace = x.new_empty(x.shape[0], 96)
        torch.addmm(self.up.bias, x, self.up.weight.t(), out=self.workspace)
        return self.down(nn.functional.gelu(self.workspace))
