"""Works on a side stream, and lets the default stream wait for it in the next call only.

Tries: to have one call's work counted for nobody: between two calls, where no event lies.
Might work: there is a wait for every piece of work, and outputs are right by the time somebody looks.

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
        self.stream = torch.cuda.Stream()

    def forward(self, a, b):
        torch.cuda.current_stream().wait_stream(self.stream)
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            return torch.matmul(a, b)
