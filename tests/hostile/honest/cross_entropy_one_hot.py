"""The chosen logits by a product with one-hot rows.

problem: cross_entropy
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, logits, labels):
        picked = nn.functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
        return -(torch.log_softmax(logits, dim=1) * picked).sum() / labels.numel()
