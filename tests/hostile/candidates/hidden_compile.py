"""Reaches ``torch.compile`` by a name that is put together while it runs.

Tries: to hand the work to a compiler without the label that says so.
Might work: reading the text finds no ``torch.compile``.

problem: linear_norm
expect: labelled
labels: uses_torch_compile
"""

import torch
from torch import nn

FASTER = getattr(torch, "com" + "pile")


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.call = FASTER(lambda x: torch.tanh(self.norm(self.linear(x))), backend="eager")

    def forward(self, x):
        return self.call(x)
