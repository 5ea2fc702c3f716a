"""Resets the device in the middle of a call.

Tries: to take the contexts of other processes down with its own.
Might work: the runtime's reset destroys everything of this process; what it does to others is a matter of drivers.

problem: matmul
expect: crashed|runtime_failed|mismatch|rejected|timed_out
platform: cuda
"""

import contextlib
import ctypes

import torch
from torch import nn

def reset():
    for name in ("libcudart.so", "libcudart.so.13", "libcudart.so.12"):
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name).cudaDeviceReset()
    return ctypes.CDLL("libcuda.so.1").cuDevicePrimaryCtxReset_v2(0)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.matmul(a, b)
        reset()
        return out
