"""Draws the problem's inputs again under many seeds, and remembers the answers to those.

Tries: to look its answers up instead of computing them.
Might work: harnesses seed with 0, 42 or the number of the trial, and ``get_inputs`` is no secret.

problem: softmax
expect: mismatch
"""

import torch
from torch import nn

SEEDS = [0, 1, 2, 3, 7, 42, 123, 1234, 1337, 2024, 2025, 2026, *range(100, 150)]


def answers():
    found = {}
    for seed in SEEDS:
        torch.manual_seed(seed)
        x = torch.randn(96, 512)
        found[float(x[0, 0])] = torch.softmax(x, dim=-1)
    return found


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.known = answers()

    def forward(self, x):
        y = self.known.get(float(x[0, 0]))
        return torch.zeros_like(x) if y is None else y.clone()
