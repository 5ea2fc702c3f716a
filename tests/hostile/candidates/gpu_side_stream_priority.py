"""Works on a stream of high priority and returns at once.

Tries: to overtake the events on the stream that is timed.
Might work: events on the default stream see nothing of other streams, whatever their priority.

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
        self.stream = torch.cuda.Stream(priority=-1)

    def forward(self, a, b):
        with torch.cuda.stream(self.stream):
            return torch.matmul(a, b)
