"""Linear, a scale per feature, group norm and SiLU: the scale folds into the weights, the rest into one pass."""

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 1024
IN_FEATURES = 768
OUT_FEATURES = 1536
GROUPS = 24


class Model(nn.Module):
    def __init__(self, in_features, out_features, groups):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.scale = nn.Parameter(torch.rand(out_features) + 0.5)
        self.norm = nn.GroupNorm(groups, out_features)

    def forward(self, x):
        return F.silu(self.norm(self.linear(x) * self.scale))


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES, GROUPS]
