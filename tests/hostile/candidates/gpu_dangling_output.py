"""Hands out an address: the allocator has taken its output's memory back when the call returns.

Tries: to have one block of memory serve every call, where no Python object shows that outputs share it.
Might work: until the next allocation the numbers are still there, and they are right.

problem: relu
expect: mismatch|rejected
platform: cuda
"""

import torch
from torch import nn


class Address:
    """Memory at an address that belongs to somebody else."""

    def __init__(self, tensor):
        self.__cuda_array_interface__ = {
            "shape": tuple(tensor.shape),
            "typestr": "<f4",
            "data": (tensor.data_ptr(), False),
            "strides": None,
            "version": 2,
        }


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.as_tensor(Address(torch.relu(x.contiguous())), device=x.device)
