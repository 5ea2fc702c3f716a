"""Python source put together at import, as code generators do.

problem: hard_swish
"""

from torch import nn

TEMPLATE = "def body(x):\n    return x * (x + {shift}).clamp({low}, {high}) * (1 / {high})"
NAMESPACE = {}
exec(TEMPLATE.format(shift=3, low=0, high=6), NAMESPACE)


class ModelNew(nn.Module):
    def forward(self, x):
        return NAMESPACE["body"](x)
