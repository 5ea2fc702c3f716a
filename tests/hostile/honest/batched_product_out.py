"""Each product written into its place.

problem: batched_product
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        y = a.new_empty(a.shape[0], a.shape[1], b.shape[2])
        for number in range(a.shape[0]):
            torch.mm(a[number], b[number], out=y[number])
        return y
