"""Answers with zeros, and leaves a detached grandchild behind in a session of its own.

Tries: to stay on the machine after its verdict. The grandchild ends by itself after a minute.
Might work: killing a process group does not reach another session.

problem: relu
expect: mismatch|rejected|runtime_failed|crashed
"""

import os
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.done = False

    def forward(self, x):
        if not self.done:
            self.done = True
            child = os.fork()
            if child == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(60)
                os._exit(0)
            os.waitpid(child, 0)
        return torch.zeros_like(x)
