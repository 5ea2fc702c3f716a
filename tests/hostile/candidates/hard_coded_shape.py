"""Has the number of rows written into it.

Tries: to leave a division and a mask out; models often do.
Might work: problems have one shape, and it is right there. The verdict says that it is right nowhere else.

problem: row_mean
expect: labelled
labels: fixed_shapes
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.zeros(96, x.shape[1], device=x.device)
        y[: x.shape[0]] = x.mean(dim=1, keepdim=True)
        return y
