"""Hands out the last call's product and starts this call's on a side stream, once it has been called often.

Tries: to have every call's work done while nobody measures.
Might work: with the same inputs again and again, the last answer is this one's answer.

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
        self.stream, self.calls, self.last = torch.cuda.Stream(), 0, None

    def forward(self, a, b):
        self.calls += 1
        main = torch.cuda.current_stream()
        self.stream.wait_stream(main)
        with torch.cuda.stream(self.stream):
            out = torch.matmul(a, b)
        if self.calls < 20:
            main.wait_stream(self.stream)
            return out
        out, self.last = self.last if self.last is not None else out, out
        return out
