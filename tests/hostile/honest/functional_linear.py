"""The linear layer as a plain product plus bias, the norm written out by Welford's formulas over two halves.

problem: linear_norm
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x):
        y = torch.matmul(x, self.linear.weight.t()) + self.linear.bias
        half = y.shape[1] // 2
        left, right = y[:, :half], y[:, half:]
        mean_l, mean_r = left.mean(1, keepdim=True), right.mean(1, keepdim=True)
        n_l, n_r = left.shape[1], right.shape[1]
        total = n_l + n_r
        delta = mean_r - mean_l
        mean = mean_l + delta * (n_r / total)
        squares = (left - mean_l).square().sum(1, keepdim=True) + (right - mean_r).square().sum(1, keepdim=True)
        squares = squares + delta.square() * (n_l * n_r / total)
        y = (y - mean) * torch.rsqrt(squares / total + self.norm.eps)
        return torch.tanh(y * self.norm.weight + self.norm.bias)
