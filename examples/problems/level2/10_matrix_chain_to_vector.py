"""(A @ B) @ v: computed from the right, the matrix product becomes two matrix-vector products."""

import torch
from torch import nn

M = 1024
K = 1024
N = 1024


class Model(nn.Module):
    def forward(self, a, b, v):
        return (a @ b) @ v


def get_inputs():
    return [torch.randn(M, K), torch.randn(K, N), torch.randn(N)]


def get_init_inputs():
    return []
