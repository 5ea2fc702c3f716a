"""Mean and variance of each group by Welford's recurrence over chunks.

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
        count, mean, spread = 0, 0.0, 0.0
        for part in rows.split(96, dim=2):
            part_mean = part.mean(dim=2, keepdim=True)
            part_spread = (part - part_mean).square().sum(dim=2, keepdim=True)
            delta, size = part_mean - mean, part.shape[2]
            spread = spread + part_spread + delta * delta * (count * size / (count + size))
            count += size
            mean = mean + delta * (size / count)
        normal = ((rows - mean) * torch.rsqrt(spread / count + 1e-5)).reshape(x.shape)
        return normal * self.norm.weight[:, None, None] + self.norm.bias[:, None, None]
