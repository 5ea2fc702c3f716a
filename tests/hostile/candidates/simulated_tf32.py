"""Both operands cut to ten bits of mantissa before the product, as tf32 does.

Tries: the silent downgrade that ``allow_tf32`` brings on a GPU, here spelt out.
Might work: it is right to three digits, and many references are timed with tf32 on.

problem: matmul
expect: mismatch
"""

import torch
from torch import nn

KEEP = -(1 << 13)


def cut(t):
    return (t.contiguous().view(torch.int32) & KEEP).view(torch.float32)


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.matmul(cut(a), cut(b))
