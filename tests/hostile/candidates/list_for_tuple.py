"""A list where the reference answers with a tuple.

Tries: nothing clever; callers that unpack or hash the answer would notice.
Might work: a comparison that zips both sides never looks at the container.

problem: two_outputs
expect: mismatch
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        centred = x - x.mean(dim=1, keepdim=True)
        return [centred, centred.square().mean(dim=1)]
