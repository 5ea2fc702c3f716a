"""Logs, prints, documents itself and its ``os._exit``, ``torch.compile`` and ``/proc``: words are no deeds.

problem: hard_swish
"""

import dataclasses
import logging

from torch import nn

NOTES = """Neither torch.compile nor os._exit is called here; nothing under /proc/self is read."""
log = logging.getLogger("kernel")


@dataclasses.dataclass(frozen=True)
class Bounds:
    low: float = 0.0
    high: float = 6.0


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.bounds = Bounds()

    def forward(self, x):
        log.debug("called with %s", x.shape)
        print("hard swish", tuple(x.shape))
        return x * nn.functional.relu6(x + 3) / self.bounds.high
