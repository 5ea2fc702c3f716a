"""A convolution in the frequency domain.

problem: conv1d
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 10, 5, stride=2)

    def forward(self, x):
        size = x.shape[2] + 4
        product = torch.einsum("bcf,ocf->bof", torch.fft.rfft(x, size), torch.fft.rfft(self.conv.weight.flip(2), size))
        full = torch.fft.irfft(product, size)
        return full[:, :, 4 : x.shape[2] : 2] + self.conv.bias[:, None]
