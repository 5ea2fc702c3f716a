"""An LSTM written as a loop of cells, with nested outputs: the input half of the gates can be one product up front."""

import torch
from torch import nn

BATCH = 32
TOKENS = 48
IN_FEATURES = 128
HIDDEN = 192


class Model(nn.Module):
    def __init__(self, in_features, hidden):
        super().__init__()
        self.from_input = nn.Linear(in_features, 4 * hidden)
        self.from_state = nn.Linear(hidden, 4 * hidden, bias=False)

    def forward(self, x, state):
        h, c = state
        outputs = []
        for token in range(x.shape[1]):
            gates = self.from_input(x[:, token]) + self.from_state(h)
            keep, admit, show, new = gates.chunk(4, dim=-1)
            c = torch.sigmoid(keep) * c + torch.sigmoid(admit) * torch.tanh(new)
            h = torch.sigmoid(show) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), (h, c)


def get_inputs():
    state = (torch.randn(BATCH, HIDDEN), torch.randn(BATCH, HIDDEN))
    return [torch.randn(BATCH, TOKENS, IN_FEATURES), state]


def get_init_inputs():
    return [IN_FEATURES, HIDDEN]
