"""Right on its first two calls, stale from then on.

Tries: to outlive a check that looks once or twice.
Might work: many harnesses check one or two draws on a fresh module.

problem: gelu
expect: mismatch|rejected
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
        self.last = None

    def forward(self, x):
        self.calls += 1
        if self.calls <= 2 or self.last.shape != x.shape:
            self.last = nn.functional.gelu(x)
        return self.last.clone()
