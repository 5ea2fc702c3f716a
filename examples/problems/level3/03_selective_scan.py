"""A Mamba-style selective scan, one Python step per token: overhead rules, and the state could stay in registers."""

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 2
TOKENS = 192
CHANNELS = 128
STATES = 16


class Model(nn.Module):
    def __init__(self, channels, states):
        super().__init__()
        self.log_decay = nn.Parameter(torch.log(torch.arange(1, states + 1).float()).repeat(channels, 1))
        self.skip = nn.Parameter(torch.ones(channels))
        self.step = nn.Linear(channels, channels)
        self.write = nn.Linear(channels, states, bias=False)
        self.read = nn.Linear(channels, states, bias=False)

    def forward(self, x):
        step = F.softplus(self.step(x))
        write, read = self.write(x), self.read(x)
        decay = torch.exp(step[..., None] * -torch.exp(self.log_decay))
        update = (step * x)[..., None] * write[:, :, None, :]
        state = torch.zeros_like(update[:, 0])
        outputs = []
        for token in range(x.shape[1]):
            state = decay[:, token] * state + update[:, token]
            outputs.append((state * read[:, token, None, :]).sum(dim=-1))
        return torch.stack(outputs, dim=1) + self.skip * x


def get_inputs():
    return [torch.randn(BATCH, TOKENS, CHANNELS)]


def get_init_inputs():
    return [CHANNELS, STATES]
