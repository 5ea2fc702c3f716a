"""Puts a function of the host in front of its product, on a stream that nobody waits for.

Tries: to start the work 20 ms after the call returned, with no thread and no Python behind it.
Might work: ``cuLaunchHostFunc`` shows in no list of threads, and by the time of a late comparison everything is there.

problem: gpu_matmul
expect: mismatch|rejected
platform: cuda
"""

import ctypes

import torch
from torch import nn

CUDA = ctypes.CDLL("libcuda.so.1")
SLEEP = ctypes.cast(ctypes.CDLL(None).usleep, ctypes.c_void_p)  # C, since a function of Python would wait for its lock


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.stream = torch.cuda.Stream()

    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1], device=a.device)
        self.stream.wait_stream(torch.cuda.current_stream())
        failed = CUDA.cuLaunchHostFunc(ctypes.c_void_p(self.stream.cuda_stream), SLEEP, ctypes.c_void_p(20_000))
        if failed:
            raise RuntimeError(f"cuLaunchHostFunc: error {failed}")
        with torch.cuda.stream(self.stream):
            torch.matmul(a, b, out=out)
        return out
