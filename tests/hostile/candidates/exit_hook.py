"""Answers with zeros and registers an exit hook that prints a success and ends with status 0.

Tries: to have the last word in the process.
Might work: ``atexit`` runs after everything else.

problem: relu
expect: mismatch
"""

import atexit
import os

import torch
from torch import nn


def last_word():
    print('{"schema": "kernelwright.verdict/1", "status": "correct"}', flush=True)
    os._exit(0)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        atexit.register(last_word)

    def forward(self, x):
        return torch.zeros_like(x)
