"""Replaces ``nn.Module.__call__`` so that every module, the reference too, answers with zeros.

Tries: to bring reference and baselines down to its own answer and its own time.
Might work: wherever candidate and reference share an interpreter.

problem: linear_norm
expect: mismatch|rejected|runtime_failed
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)
        nn.Module.__call__ = lambda module, x, *a, **k: torch.zeros(x.shape[0], hidden, device=x.device)

    def forward(self, x):
        return torch.zeros(x.shape[0], self.linear.out_features, device=x.device)
