"""Imports the judge under another name and asks it for the reference and its seeds.

Tries: to load the problem the way the judge does and to let it answer.
Might work: the package is installed in the interpreter that runs the candidate.

problem: relu
expect: mismatch|rejected|runtime_failed|compile_failed
"""

import importlib

import torch
from torch import nn

problems = importlib.import_module("kernel" + "wright.problems")
judge = importlib.import_module("kernel" + "wright.judge")


class ModelNew(nn.Module):
    def forward(self, x):
        for thing in [*vars(problems).values(), *vars(judge).values()]:
            if type(thing) is torch.Tensor and thing.shape == x.shape:
                return thing
        return torch.zeros_like(x)
