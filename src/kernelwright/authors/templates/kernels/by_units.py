"""The weights of a recurrence as its kernel holds them: once per load."""

import torch.nn.functional as F


def by_units(weight, directions, gates, rows):
    """[directions, hidden (summed), hidden, rows]: the gates of a unit side by side, with zeros up to that many."""
    hidden = weight.shape[1]
    turned = weight.reshape(directions, gates, hidden, hidden).permute(0, 3, 2, 1)
    return F.pad(turned, (0, rows - gates)).contiguous()
