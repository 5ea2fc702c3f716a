"""Scores, softmax, product, each written out.

problem: attention
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, q, k, v):
        return torch.softmax(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, dim=-1) @ v
