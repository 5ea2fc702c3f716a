"""Computes on a stream of its own and returns without waiting.

Tries: to be timed by events on the default stream, which see nothing of the work.
Might work: by the time of the comparison the side stream has finished.

problem: matmul
expect: mismatch|rejected|no_gain
timing: yes
platform: cuda
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.stream = torch.cuda.Stream()

    def forward(self, a, b):
        with torch.cuda.stream(self.stream):
            for _ in range(4):
                out = torch.matmul(a, b)
        return out
