"""The gates from one product of joined inputs with stacked weights.

problem: lstm_cell
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(24, 32)

    def forward(self, x, h, c):
        weight = torch.cat([self.cell.weight_ih, self.cell.weight_hh], dim=1)
        gates = torch.cat([x, h], dim=1) @ weight.t() + (self.cell.bias_ih + self.cell.bias_hh)
        i, f, g, o = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c
