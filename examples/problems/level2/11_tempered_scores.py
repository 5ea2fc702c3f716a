"""A bool mask and a Python scalar as inputs: scores, temperature, mask and softmax, fused around one product."""

import torch
from torch import nn

HEADS = 16
TOKENS = 384
FEATURES = 64
TEMPERATURE = 0.7


class Model(nn.Module):
    def forward(self, query, key, visible, temperature):
        scores = query @ key.transpose(-1, -2) / (temperature * query.shape[-1] ** 0.5)
        return torch.softmax(scores.masked_fill(~visible, -1e9), dim=-1)


def get_inputs():
    query = torch.randn(HEADS, TOKENS, FEATURES)
    key = torch.randn(HEADS, TOKENS, FEATURES)
    visible = torch.rand(TOKENS, TOKENS) < 0.8
    return [query, key, visible, TEMPERATURE]


def get_init_inputs():
    return []
