"""Takes memory in steps of 64 MiB and writes to all of it, up to 6 GiB, and then answers rightly.

Tries: to bring the machine to its knees, or at least to be served.
Might work: without a limit the system kills whichever process it likes best.

problem: relu
expect: out_of_memory
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        kept = [bytearray(b"x") * (64 << 20) for _ in range(96)]
        return torch.relu(x) + 0.0 * len(kept)
