"""Waits as it should in its first calls, and no longer when it has been called often.

Tries: to pass every check, and to be timed with its work on a stream that nobody waits for.
Might work: outputs of timed calls are looked at later, when they are long finished.

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
        self.stream, self.calls = torch.cuda.Stream(), 0

    def forward(self, a, b):
        self.calls += 1
        main = torch.cuda.current_stream()
        self.stream.wait_stream(main)
        with torch.cuda.stream(self.stream):
            out = torch.matmul(a, b)
        if self.calls < 20:
            main.wait_stream(self.stream)
        return out
