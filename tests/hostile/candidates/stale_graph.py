"""Captures a CUDA graph over the first input and replays it, whatever comes later.

Tries: to skip the copy of new values into the graph's own input.
Might work: timing loops call with the same tensors, and the replay reads their storage.

problem: matmul
expect: mismatch|rejected
platform: cuda
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.graph = None

    def forward(self, a, b):
        if self.graph is None:
            self.inputs = (a.clone(), b.clone())
            torch.matmul(*self.inputs)
            torch.cuda.synchronize()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.out = torch.matmul(*self.inputs)
        self.graph.replay()
        return self.out.clone()
