"""Never ends being imported.

Tries: to hang a judge that limits ``forward`` only.
Might work: limits are often set around the calls.

problem: relu
expect: timed_out
limit: 6
"""

import time

import torch
from torch import nn

END = time.monotonic() + 120  # ends by itself, whatever the judge does
while time.monotonic() < END:
    pass


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)
