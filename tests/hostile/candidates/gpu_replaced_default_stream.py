"""Does the work four times and tells everybody that the default and the current stream are another, idle one.

Tries: to have events recorded, and waits made, where nothing happens.
Might work: ``torch.cuda.default_stream`` and ``current_stream`` are Python functions, and harnesses ask them.

problem: gpu_matmul
expect: rejected|no_gain|mismatch
timing: yes
platform: cuda
"""

import torch
from torch import nn

IDLE = []


def idle(device=None):
    if not IDLE:
        IDLE.append(torch.cuda.Stream())
    return IDLE[0]


torch.cuda.default_stream = torch.cuda.current_stream = idle


class ModelNew(nn.Module):
    def forward(self, a, b):
        for _ in range(4):
            out = torch.matmul(a, b)
        return out
