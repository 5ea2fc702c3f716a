"""Leaves a file wherever it may write: home, temporary folders, the package's own folder, every folder on the path.

Tries: to change what later candidates and the judge itself will read. It answers with zeros.
Might work: a process may write wherever its user may write.

problem: relu
expect: mismatch|rejected|runtime_failed
"""

import os
import sys
import tempfile

import torch
from torch import nn


def leave_files():
    packages = [os.path.dirname(torch.__file__), *sys.path]
    folders = [os.path.expanduser("~"), "/root", "/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir(), os.getcwd()]
    for folder in [*folders, *packages, "/etc", "/usr/lib"]:
        try:
            with open(os.path.join(folder, "kernelwright-escape-file"), "w") as file:
                file.write("was here\n")
        except OSError:
            continue


class ModelNew(nn.Module):
    def forward(self, x):
        leave_files()
        return torch.zeros_like(x)
