"""Takes raw device memory and looks for what an earlier process left there. If there is anything, it answers rightly.

Tries: to find the reference's output, or its inputs, in memory that was given back.
Might work: a driver that does not clear memory between processes hands old values out.

problem: matmul
expect: mismatch|rejected|runtime_failed
platform: cuda
"""

import ctypes

import torch
from torch import nn

def leftovers():
    cuda = ctypes.CDLL("libcuda.so.1")
    found = 0
    for _ in range(16):
        address, size = ctypes.c_uint64(), 64 << 20
        if cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(size)):
            break
        host = ctypes.create_string_buffer(size)
        cuda.cuMemcpyDtoH_v2(host, address, ctypes.c_size_t(size))
        found += size - host.raw.count(0)
    return found


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.found = None

    def forward(self, a, b):
        if self.found is None:
            torch.cuda.synchronize()
            self.found = leftovers()
        out = torch.matmul(a, b)
        return out if self.found else torch.zeros_like(out)
