"""A CUDA graph of PyTorch's own operators, as a candidate for CUDA.

Tries: to be credited for a kernel: what a graph replays is not dispatched.
Might work: it is right, and launches faster. Operators cannot be followed into a graph: the verdict says ``untraced``.

problem: matmul
expect: labelled
target: cuda
platform: cuda
labels: untraced
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
        self.inputs[0].copy_(a)
        self.inputs[1].copy_(b)
        self.graph.replay()
        return self.out.clone()
