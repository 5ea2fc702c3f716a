"""Asks for a constructor argument that the reference does not have.

Tries: nothing; models often do.
Might work: never, but the verdict must say so and cost nothing else.

problem: relu
expect: runtime_failed|compile_failed
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        return torch.relu(x)
