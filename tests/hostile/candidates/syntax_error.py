"""Does not parse.

Tries: nothing; models often do.
Might work: never, but the verdict must show the line.

problem: relu
expect: compile_failed|generation_failed
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x)
        return torch.relu(x)
