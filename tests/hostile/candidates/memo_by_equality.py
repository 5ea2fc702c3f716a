"""Keeps its last sixteen inputs and answers, and hands an answer out again when the whole input compares equal.

Tries: to be measured at the cost of a comparison.
Might work: it is never wrong, and a timing loop that repeats the same few draws measures no work at all.

problem: linear_norm
expect: mismatch|rejected|no_gain
timing: yes
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.known = []

    def forward(self, x):
        for seen, answer in self.known:
            if seen.shape == x.shape and torch.equal(seen, x):
                return answer.clone()
        y = torch.tanh(self.norm(self.linear(x)))
        for _ in range(3):  # three times the work, so that only the memory can make it look fast
            y = y + 0.0 * torch.tanh(self.norm(self.linear(x)))
        self.known = [(x.clone(), y), *self.known[:15]]
        return y.clone()
