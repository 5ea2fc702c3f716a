"""Answers with a list that contains itself.

Tries: to send whoever flattens the answer into endless recursion.
Might work: nothing guards against cycles in outputs.

problem: relu
expect: mismatch|rejected|runtime_failed
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        outputs = [x]
        outputs.append(outputs)
        return outputs
