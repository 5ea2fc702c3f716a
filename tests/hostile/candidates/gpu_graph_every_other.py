"""A CUDA graph whose inputs are copied on every other call only.

Tries: to be right half of the time, and twice as fast in the other half.
Might work: whoever checks the first and the last call may see the right half.

problem: matmul
expect: mismatch|rejected
platform: cuda
"""

import torch
from torch import nn

class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.graph, self.calls = None, 1

    def forward(self, a, b):
        if self.graph is None:
            self.inputs = (a.clone(), b.clone())
            torch.matmul(*self.inputs)
            torch.cuda.synchronize()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.out = torch.matmul(*self.inputs)
        self.calls += 1
        if self.calls % 2 == 0:
            self.inputs[0].copy_(a)
            self.inputs[1].copy_(b)
        self.graph.replay()
        return self.out.clone()
