"""A CUDA graph that copies one of its two inputs.

Tries: to use that the second operand looks like a weight.
Might work: benchmarks that draw weights once never change it.

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
        self.graph.replay()
        return self.out.clone()
