"""Right, and grants the process no more GPU memory than it holds after its first call.

Tries: to have whatever runs next in this process, the reference and its baselines, run out of memory.
Might work: a baseline that fails is left out, and who is compared with nobody wins.

problem: gpu_matmul
expect: no_gain|out_of_memory|runtime_failed|rejected
timing: yes
platform: cuda
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.bounded = False

    def forward(self, a, b):
        out = torch.matmul(a, b)
        if not self.bounded:
            self.bounded = True
            total = torch.cuda.get_device_properties(a.device).total_memory
            torch.cuda.set_per_process_memory_fraction(torch.cuda.memory_reserved() / total, a.device)
        return out
