"""A CUDA graph that hands its one output out again and again.

Tries: to save the copy. Each answer is right until the next call.
Might work: harnesses compare an answer before they ask for the next.

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
        self.inputs[0].copy_(a)
        self.inputs[1].copy_(b)
        self.graph.replay()
        return self.out
