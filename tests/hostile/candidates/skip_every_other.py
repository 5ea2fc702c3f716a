"""Works on every fifth call only, once it is warm.

Tries: to be right whenever a few timed outputs happen to be looked at.
Might work: a judge that checks the first and the last timed call sees four right answers in five at best.

problem: matmul
expect: mismatch|rejected
timing: yes
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
        self.last = None

    def forward(self, a, b):
        self.calls += 1
        if self.calls < 80 or self.calls % 5 == 0 or self.last.shape != (a.shape[0], b.shape[1]):
            self.last = torch.matmul(a, b)
        return self.last.clone()
