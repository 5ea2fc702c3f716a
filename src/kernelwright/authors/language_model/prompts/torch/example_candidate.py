"""The mean before the linear layer: a linear map of a mean is the mean of its images.

2048 × 512 × 1024 multiplications become 512 × 1024; what is left is one pass over the input, 4 MiB, and one over the
weights, 2 MiB. The product of 2048 rows, 8 MiB, is never written.
"""

import torch.nn.functional as F
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, outputs):
        super().__init__()
        self.linear = nn.Linear(features, outputs)  # the name that Model has: weights come by name

    def forward(self, x):
        return F.linear(x.mean(dim=0), self.linear.weight, self.linear.bias)
