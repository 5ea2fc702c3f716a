"""One thread for each half of the batch, all joined before the answer.

problem: batched_product
"""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        half = a.shape[0] // 2
        with ThreadPoolExecutor(2) as pool:
            parts = ((a[:half], b[:half]), (a[half:], b[half:]))
            futures = [pool.submit(torch.bmm, *part) for part in parts]
        return torch.cat([future.result() for future in futures])
