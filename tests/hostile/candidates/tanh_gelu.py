"""The tanh formula for GELU where the exact one is asked for.

Tries: a cheaper approximation that differs by at most 5e-4.
Might work: half-precision tolerances accept it on any input.

problem: gelu
expect: mismatch
passes: 1e-2
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return nn.functional.gelu(x, approximate="tanh")
