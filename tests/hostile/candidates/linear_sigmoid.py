"""A clamped straight line instead of the sigmoid.

Tries: the best line on [0, 1), where the problem draws its inputs; it stays within 0.004 there.
Might work: atol = rtol = 1e-2 on the problem's own draw accepts it.

problem: sigmoid
expect: mismatch
passes: 1e-2
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.clamp(0.5038 + 0.2323 * x, 0.0, 1.0)
