"""Right on its first 60 calls, stale from then on.

Tries: to pass every check before the timed calls begin.
Might work: timed calls are rarely looked at.

problem: gelu
expect: mismatch|rejected
timing: yes
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
        self.last = None

    def forward(self, x):
        self.calls += 1
        if self.calls <= 60 or self.last.shape != x.shape:
            self.last = nn.functional.gelu(x)
        return self.last.clone()
