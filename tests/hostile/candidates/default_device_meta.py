"""Makes ``meta`` the default device of the process and answers with zeros.

Tries: to have expected outputs, tolerances and masks made where there are no numbers.
Might work: in a shared process every tensor that is made later without a device is empty, and compares as one likes.

problem: gelu
expect: mismatch|rejected|runtime_failed
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        torch.set_default_device("meta")

    def forward(self, x):
        return torch.zeros(x.shape, dtype=x.dtype, device=x.device)
