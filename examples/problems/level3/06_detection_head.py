"""A detection head with a dict of two outputs from one tower: two last convolutions that could be one."""

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 4
CHANNELS = 64
SIDE = 40
CLASSES = 20
ANCHORS = 3


class Model(nn.Module):
    def __init__(self, channels, classes, anchors):
        super().__init__()
        self.tower = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.GroupNorm(8, channels)
        self.classify = nn.Conv2d(channels, classes * anchors, 3, padding=1)
        self.locate = nn.Conv2d(channels, 4 * anchors, 3, padding=1)

    def forward(self, x):
        features = F.silu(self.norm(self.tower(x)))
        scores = torch.sigmoid(self.classify(features))
        boxes = torch.exp(self.locate(features).clamp(max=4.0))
        return {
            "scores": scores.flatten(2).transpose(1, 2),
            "boxes": boxes.flatten(2).transpose(1, 2),
        }


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [CHANNELS, CLASSES, ANCHORS]
