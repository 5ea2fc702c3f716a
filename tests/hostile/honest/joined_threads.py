"""Uses threads of its own and waits for them: a pool that is gone when ``forward`` returns.

problem: gelu
"""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        parts = zip(x.chunk(2), out.chunk(2), strict=True)
        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(lambda pair: pair[1].copy_(nn.functional.gelu(pair[0])), parts):
                continue
        return out
