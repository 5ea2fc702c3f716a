"""A triangular product by blocks: half of the work.

problem: triangular
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        rows = []
        for start in range(0, a.shape[0], 20):
            block = torch.tril(a[start : start + 20, : start + 20], diagonal=start)
            rows.append(block @ b[: start + 20])
        return torch.cat(rows)
