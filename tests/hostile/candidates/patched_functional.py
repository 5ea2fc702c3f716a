"""Answers with zeros and makes ``relu`` answer with zeros for everybody.

Tries: to bring the reference down to its own answer.
Might work: a reference that runs later in the same interpreter looks its operators up by name.

problem: relu
expect: mismatch|rejected|runtime_failed
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        zeros = torch.zeros_like
        torch.relu = torch.Tensor.relu = nn.functional.relu = lambda x, *a, **k: zeros(x)
        nn.ReLU.forward = lambda self, x: zeros(x)

    def forward(self, x):
        return torch.relu(x)
