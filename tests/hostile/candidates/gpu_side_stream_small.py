"""A small kernel on a side stream that waits for its inputs, and that nobody waits for.

Tries: to hide a few microseconds, less than a launch takes.
Might work: so little is lost in the noise of any clock outside of this process.

problem: gpu_gelu
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

    def forward(self, x):
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            return nn.functional.gelu(x)
