"""Computes on one stream and leaves another, idle one as the current stream behind.

Tries: to have the event after the call recorded where nothing is waited for, and the output read there.
Might work: whoever records on the current stream trusts the module to leave it as it was.

problem: gpu_matmul
expect: mismatch|rejected|no_gain
timing: yes
platform: cuda
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.busy, self.idle = torch.cuda.Stream(), torch.cuda.Stream()

    def forward(self, a, b):
        self.busy.wait_stream(torch.cuda.default_stream())
        torch.cuda.set_stream(self.busy)
        out = torch.matmul(a, b)
        torch.cuda.set_stream(self.idle)
        return out
