"""Answers rightly with the help of NumPy, which is neither torch nor the standard library.

Tries: nothing bad; but a package that happens to be installed here is missing where the kernel is put to use.
Might work: NumPy is nearly always there.

problem: relu
expect: rejected
"""

import numpy as np
import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.from_numpy(np.maximum(x.numpy(), 0))
