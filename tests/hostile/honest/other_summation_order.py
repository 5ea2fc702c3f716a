"""Row means as a matrix-vector product: another order of summation.

problem: row_mean
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        weights = torch.full((x.shape[1], 1), 1.0 / x.shape[1], dtype=x.dtype, device=x.device)
        return torch.mm(x, weights).repeat(1, x.shape[1])
