"""A pre-norm attention block with a causal mask written out: scores, mask and softmax need never reach memory."""

import torch
from torch import nn

BATCH = 4
TOKENS = 256
FEATURES = 384
HEADS = 6


class Model(nn.Module):
    def __init__(self, features, heads, tokens):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(features)
        self.project_in = nn.Linear(features, 3 * features)
        self.project_out = nn.Linear(features, features)
        self.register_buffer("future", torch.ones(tokens, tokens, dtype=torch.bool).triu(1), persistent=False)

    def forward(self, x):
        batch, tokens, features = x.shape
        query, key, value = (
            part.view(batch, tokens, self.heads, -1).transpose(1, 2)
            for part in self.project_in(self.norm(x)).chunk(3, dim=-1)
        )
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        weights = torch.softmax(scores.masked_fill(self.future[:tokens, :tokens], float("-inf")), dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, tokens, features)
        return x + self.project_out(mixed)


def get_inputs():
    return [torch.randn(BATCH, TOKENS, FEATURES)]


def get_init_inputs():
    return [FEATURES, HEADS, TOKENS]
