"""Works on a side stream and makes every wait of PyTorch for the device a no-op.

Tries: to have the clock read while the GPU is still busy.
Might work: ``torch.cuda.synchronize`` is a Python function.

problem: gpu_matmul
expect: rejected|no_gain|mismatch
timing: yes
platform: cuda
"""

import torch
from torch import nn

for place in (torch.cuda, torch.cuda.Event, torch.cuda.Stream):
    place.synchronize = lambda *args, **kwargs: None


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.stream = torch.cuda.Stream()

    def forward(self, a, b):
        with torch.cuda.stream(self.stream):
            return torch.matmul(a, b)
