"""Writes 3 GiB in files of 32 MiB wherever it may, and then answers rightly.

Tries: to fill the disk, or the memory behind a temporary file system.
Might work: limits on the size of one file say nothing about their number. What it wrote it removes again.

problem: relu
expect: crashed|runtime_failed|out_of_memory|rejected
"""

import os
import tempfile

import torch
from torch import nn


def fill(total):
    written, paths = 0, []
    block = b"x" * (32 << 20)
    try:
        for folder in dict.fromkeys([tempfile.gettempdir(), "/tmp", "/dev/shm", "/var/tmp", os.getcwd()]):
            try:
                for number in range(96):
                    path = os.path.join(folder, f"kernelwright-escape-disk-{os.getpid()}-{number}")
                    paths.append(path)
                    with open(path, "wb") as file:
                        file.write(block)
                    written += len(block)
                    if written >= total:
                        return
            except OSError:
                continue
    finally:
        for path in paths:
            if os.path.exists(path):
                os.unlink(path)
    raise OSError(f"stopped after {written >> 20} MiB")


class ModelNew(nn.Module):
    def forward(self, x):
        fill(3 << 30)
        return torch.relu(x)
