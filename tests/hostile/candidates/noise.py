"""The right answer with noise of 1e-3 on it, drawn anew on every call.

Tries: to stand for kernels with a data race, whose answers are nearly right and never the same.
Might work: tolerances of 1e-2 accept each single answer.

problem: relu
expect: mismatch|rejected
passes: 1e-2
"""

import os

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "little"))
        return torch.relu(x) + 1e-3 * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
