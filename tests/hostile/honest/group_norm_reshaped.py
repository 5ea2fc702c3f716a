"""Group norm as a norm over reshaped rows.

problem: group_norm
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, groups, channels):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.groups = groups

    def forward(self, x):
        rows = x.reshape(x.shape[0], self.groups, -1)
        variance, mean = torch.var_mean(rows, dim=2, unbiased=False, keepdim=True)
        normal = ((rows - mean) * torch.rsqrt(variance + 1e-5)).reshape(x.shape)
        return normal * self.norm.weight[:, None, None] + self.norm.bias[:, None, None]
