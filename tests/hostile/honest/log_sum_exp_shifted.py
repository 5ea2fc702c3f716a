"""The largest value taken out, the logarithm of the rest added.

problem: log_sum_exp
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        top = x.amax(dim=1, keepdim=True)
        return (x - top).exp().sum(dim=1).log() + top.squeeze(1)
