import torch
from torch import nn


class Model(nn.Module):
    """A softmax over scaled logits with a bias for each class."""

    def __init__(self, classes, scale):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(classes))
        self.scale = scale

    def forward(self, logits):
        return torch.softmax(logits * self.scale + self.bias, dim=-1)


def get_inputs():
    return [torch.randn(96, 1003)]


def get_init_inputs():
    return [1003, 0.7]
