"""Answers with a tensor of 2**42 elements that costs four bytes: one element, expanded.

Tries: to make whoever copies the answer run out of memory.
Might work: ``contiguous``, ``cpu`` after ``clone`` and ``tobytes`` write every element out.

problem: relu
expect: mismatch|rejected|out_of_memory
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x[:1, :1].expand(1 << 21, 1 << 21)
