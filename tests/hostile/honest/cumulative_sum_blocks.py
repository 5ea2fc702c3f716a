"""Running sums of blocks, then of the blocks' totals.

problem: cumulative_sum
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        rows, columns = x.shape
        padded = nn.functional.pad(x, (0, -columns % 64))
        blocks = padded.view(rows, -1, 64)
        totals = blocks.sum(dim=2)
        before = (totals.cumsum(1) - totals)[:, :, None]
        return (blocks.cumsum(2) + before).reshape(rows, -1)[:, :columns].contiguous()
