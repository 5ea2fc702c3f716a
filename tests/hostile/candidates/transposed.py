"""The transpose of a square result.

Tries: to pass checks of shape, dtype, norm, sum and sorted values.
Might work: any comparison of summaries instead of elements accepts it.

problem: matmul
expect: mismatch
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b).t().contiguous()
