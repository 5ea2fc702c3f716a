"""Attention pooling with a softmax over an axis of size one: every weight is one, and the scores are dead work."""

import torch
from torch import nn

BATCH = 64
TOKENS = 128
FEATURES = 512
HIDDEN = 256


class Model(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.hidden = nn.Linear(features, hidden)
        self.score = nn.Linear(hidden, 1)

    def forward(self, x):
        weights = torch.softmax(self.score(torch.tanh(self.hidden(x))), dim=-1)
        return (weights * x).sum(dim=1)


def get_inputs():
    return [torch.randn(BATCH, TOKENS, FEATURES)]


def get_init_inputs():
    return [FEATURES, HIDDEN]
