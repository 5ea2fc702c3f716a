"""Starts 300 threads that sleep, and answers with zeros.

Tries: to use up the machine's threads. They end by themselves after thirty seconds.
Might work: threads count as processes for the system's limit.

problem: relu
expect: rejected|runtime_failed|mismatch|crashed
"""

import threading
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.started = False

    def forward(self, x):
        if not self.started:
            self.started = True
            for _ in range(300):
                threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        return torch.zeros_like(x)
