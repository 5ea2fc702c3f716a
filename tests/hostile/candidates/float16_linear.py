"""The linear layer in float16, the rest in float32.

Tries: a downgrade that the layer norm behind it hides from anyone who looks at magnitudes.
Might work: eleven bits of mantissa pass atol = rtol = 1e-2.

problem: linear_norm
expect: mismatch
passes: 1e-2
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x):
        y = nn.functional.linear(x.half(), self.linear.weight.half(), self.linear.bias.half()).to(x.dtype)
        return torch.tanh(self.norm(y))
