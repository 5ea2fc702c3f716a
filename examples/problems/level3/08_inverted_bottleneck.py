"""An inverted bottleneck with squeeze and excitation: cheap depthwise work between two products, and a global mean."""

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 4
CHANNELS = 32
EXPANSION = 4
SIDE = 72


class Model(nn.Module):
    def __init__(self, channels, expansion):
        super().__init__()
        wide = channels * expansion
        self.expand = nn.Sequential(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU())
        self.depthwise = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.SiLU()
        )
        self.squeeze = nn.Linear(wide, channels // 2)
        self.excite = nn.Linear(channels // 2, wide)
        self.project = nn.Sequential(nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = self.depthwise(self.expand(x))
        attention = torch.sigmoid(self.excite(F.silu(self.squeeze(y.mean(dim=(2, 3))))))
        return x + self.project(y * attention[:, :, None, None])


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [CHANNELS, EXPANSION]
