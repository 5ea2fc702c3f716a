"""The right numbers as nested Python lists.

Tries: ``torch.as_tensor`` on the judge's side.
Might work: a comparison that converts whatever it gets accepts it.

problem: relu
expect: mismatch|rejected
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.relu(x).tolist()
