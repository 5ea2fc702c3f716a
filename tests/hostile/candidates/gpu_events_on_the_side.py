"""Makes the stamps' events be recorded on an empty stream.

Tries: to be timed on a stream where nothing happens.
Might work: an event that is recorded on another stream is still an event.

problem: gpu_matmul
expect: rejected|no_gain|mismatch
timing: yes
platform: cuda
"""

import torch
from torch import nn

RECORD = torch.cuda.Event.record
IDLE = []


def record(self, stream=None):
    if not IDLE:
        IDLE.append(torch.cuda.Stream())
    RECORD(self, IDLE[0])


torch.cuda.Event.record = record


class ModelNew(nn.Module):
    def forward(self, a, b):
        for _ in range(4):
            out = torch.matmul(a, b)
        return out
