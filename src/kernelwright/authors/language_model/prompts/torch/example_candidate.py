"""The mean moves in front of the projection: both are linear in x, and mean(x W + b) = mean(x) W + b.

Saves: the product shrinks from batch x time rows to batch rows, and its large result is never written.
Moves: x once. What is left is bound by that read, so no kernel of our own could add anything.
Precision: fewer and shorter sums than the reference, all in float32.
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.project = nn.Linear(features, hidden)  # the reference's names: its weights are loaded into these

    def forward(self, x):
        pooled = x.mean(dim=1)
        hidden = torch.addmm(self.project.bias, pooled, self.project.weight.t())
        return nn.functional.gelu(hidden)
