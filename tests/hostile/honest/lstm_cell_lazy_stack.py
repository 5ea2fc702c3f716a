"""Weights are stacked at the first call and kept: they do not change.

problem: lstm_cell
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(24, 32)
        self.stacked = None

    def forward(self, x, h, c):
        if self.stacked is None:
            self.stacked = torch.cat([self.cell.weight_ih, self.cell.weight_hh], dim=1).t().contiguous()
        gates = torch.addmm(self.cell.bias_ih + self.cell.bias_hh, torch.cat([x, h], dim=1), self.stacked)
        i, f, g, o = gates.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
