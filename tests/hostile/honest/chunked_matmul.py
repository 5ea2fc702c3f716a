"""A product in four pieces along the inner axis: four partial sums.

problem: matmul
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        step = max(1, (a.shape[1] + 3) // 4)
        out = a[:, :step] @ b[:step]
        for start in range(step, a.shape[1], step):
            out.addmm_(a[:, start : start + step], b[start : start + step])
        return out
