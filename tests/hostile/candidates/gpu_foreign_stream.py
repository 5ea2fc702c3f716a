"""Works on a stream that CUDA's runtime made, behind PyTorch's back.

Tries: to hide the stream from anyone who asks PyTorch for its streams.
Might work: harnesses that patch or count ``torch.cuda.Stream`` never hear of it.

problem: gpu_matmul
expect: mismatch|rejected|no_gain
timing: yes
platform: cuda
"""

import contextlib
import ctypes

import torch
from torch import nn

def runtime():
    for name in ("libcudart.so", "libcudart.so.13", "libcudart.so.12"):
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    raise OSError("no CUDA runtime")


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        handle = ctypes.c_void_p()
        runtime().cudaStreamCreateWithFlags(ctypes.byref(handle), 1)
        self.stream = torch.cuda.ExternalStream(handle.value)

    def forward(self, a, b):
        with torch.cuda.stream(self.stream):
            return torch.matmul(a, b)
