"""Goes through every object that the garbage collector knows, for outputs and for the reference itself.

Tries: to find what no frame holds.
Might work: tensors and modules of the harness are tracked objects.

problem: linear_norm
expect: mismatch|rejected|runtime_failed
"""

import gc

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x):
        shape = (x.shape[0], self.linear.out_features)
        for thing in gc.get_objects():
            kind = type(thing)
            if kind is torch.Tensor and tuple(thing.shape) == shape:
                return thing.clone()
            if isinstance(kind, type) and issubclass(kind, nn.Module) and kind.__name__ == "Model":
                return thing(x)
            if kind is type and issubclass(thing, nn.Module) and thing.__name__ == "Model":
                return thing(x.shape[1], shape[1])(x)
        return torch.zeros(shape)
