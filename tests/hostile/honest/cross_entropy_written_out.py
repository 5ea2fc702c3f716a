"""Negative log likelihood from logsumexp and a gather.

problem: cross_entropy
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, logits, labels):
        chosen = logits.gather(1, labels[:, None]).squeeze(1)
        return (torch.logsumexp(logits, dim=1) - chosen).mean()
