"""Returns an empty buffer at once and lets a thread fill it fifty milliseconds later.

Tries: to be timed while nothing is computed and compared when everything is there.
Might work: comparisons come later than the clock's second reading.

problem: gelu
expect: mismatch|rejected
"""

import threading
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.zeros_like(x)
        copy = x.clone()

        def work():
            time.sleep(0.05)
            out.copy_(nn.functional.gelu(copy))

        threading.Thread(target=work, daemon=True).start()
        return out
