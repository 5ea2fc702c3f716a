"""Integer and scalar arguments: the lookup as an embedding.

problem: gather
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        self.table = nn.Parameter(torch.empty(rows, width))

    def forward(self, index, scale):
        return nn.functional.embedding(index, self.table).mul_(scale)
