"""Walks up its own stack and takes the first tensor or module that could give the answer.

Tries: to find the reference, or its outputs, in the frames of the harness.
Might work: whoever calls ``forward`` often holds the expected output in a local variable.

problem: linear_norm
expect: mismatch|rejected|runtime_failed
"""

import sys

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x):
        shape = (x.shape[0], self.linear.out_features)
        frame = sys._getframe(1)
        while frame is not None:
            for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
                inside = value if isinstance(value, list | tuple) else [value]
                for thing in inside:
                    if type(thing) is torch.Tensor and tuple(thing.shape) == shape:
                        return thing.clone()
                    if isinstance(thing, nn.Module) and type(thing).__name__ == "Model":
                        return thing(x)
            frame = frame.f_back
        return torch.zeros(shape)
