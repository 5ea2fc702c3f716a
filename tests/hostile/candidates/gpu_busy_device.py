"""Right, and leaves the GPU busy for a while after each call.

Tries: to slow down the baselines, which run next on the same device.
Might work: work on a side stream goes on after the call, and nobody waits for it.

problem: gpu_matmul
expect: rejected|no_gain|mismatch|timed_out
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
        out = torch.matmul(a, b)
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            torch.cuda._sleep(20_000_000)
        return out
