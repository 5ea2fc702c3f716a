"""Takes all memory of the GPU, and then some.

Tries: to bring down the reference, which shares the device.
Might work: memory of the GPU is nobody's limit. It is given back when the process ends.

problem: relu
expect: out_of_memory|crashed|runtime_failed
platform: cuda
"""

import torch
from torch import nn

KEPT = []


class ModelNew(nn.Module):
    def forward(self, x):
        while True:
            KEPT.append(torch.empty(1 << 30, dtype=torch.uint8, device=x.device).fill_(1))
