"""logsumexp of blocks, then of their results.

problem: log_sum_exp
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        parts = [torch.logsumexp(part, dim=1) for part in x.split(50, dim=1)]
        return torch.logsumexp(torch.stack(parts, dim=1), dim=1)
