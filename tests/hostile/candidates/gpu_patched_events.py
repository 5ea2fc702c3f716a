"""Does the work four times and makes every pair of events say a thousandth.

Tries: to look fast to whoever asks PyTorch's events.
Might work: that is how GPU kernels are timed.

problem: gpu_matmul
expect: rejected|no_gain|mismatch
timing: yes
platform: cuda
"""

import torch
from torch import nn

MEASURED = torch.cuda.Event.elapsed_time
torch.cuda.Event.elapsed_time = lambda self, other: MEASURED(self, other) / 1000


class ModelNew(nn.Module):
    def forward(self, a, b):
        for _ in range(4):
            out = torch.matmul(a, b)
        return out
