"""Rewritten algebra: the batch norm folded into the convolution.

problem: batch_norm
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, channels, features):
        super().__init__()
        self.conv = nn.Conv2d(channels, features, 3, padding=1)
        self.norm = nn.BatchNorm2d(features)

    def forward(self, x):
        scale = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
        weight = self.conv.weight * scale.view(-1, 1, 1, 1)
        bias = (self.conv.bias - self.norm.running_mean) * scale + self.norm.bias
        return torch.relu_(nn.functional.conv2d(x, weight, bias, padding=1))
