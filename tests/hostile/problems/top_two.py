"""The two largest values of each row. The problem's own rows are sorted."""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return x.topk(2, dim=1).values


def get_inputs():
    return [torch.rand(96, 256).sort(dim=1).values]


def get_init_inputs():
    return []
