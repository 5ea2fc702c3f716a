"""A thread fills the output on its own stream, a moment after the call returned.

Tries: to be timed while nothing is computed.
Might work: a synchronisation waits for what was launched, not for what will be.

problem: gpu_matmul
expect: mismatch|rejected|runtime_failed
platform: cuda
"""

import threading
import time

import torch
from torch import nn

def fill(a, b, out):
    time.sleep(0.02)
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.matmul(a, b, out=out)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1], device=a.device)
        threading.Thread(target=fill, args=(a, b, out)).start()
        return out
