import torch
from torch import nn


class Model(nn.Module):
    """Adds the residual, then normalizes each row by its root mean square."""

    def __init__(self, features, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.epsilon = epsilon

    def forward(self, x, residual):
        hidden = x + residual
        scale = torch.rsqrt(hidden.square().mean(dim=-1, keepdim=True) + self.epsilon)
        return hidden * scale * self.weight


def get_inputs():
    return [torch.randn(8, 129, 1000), torch.randn(8, 129, 1000)]


def get_init_inputs():
    return [1000, 1e-5]
