"""Attention over blocks of keys with a running maximum, as flash attention does it.

problem: attention
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, q, k, v):
        top = torch.full(q.shape[:2], float("-inf"), device=q.device).unsqueeze(-1)
        total, acc = torch.zeros_like(top), torch.zeros_like(q)
        for start in range(0, k.shape[1], 16):
            scores = q @ k[:, start : start + 16].transpose(1, 2) / q.shape[-1] ** 0.5
            new = torch.maximum(top, scores.amax(-1, keepdim=True))
            weights, shrink = torch.exp(scores - new), torch.exp(top - new)
            total = total * shrink + weights.sum(-1, keepdim=True)
            acc = acc * shrink + weights @ v[:, start : start + 16]
            top = new
        return acc / total
