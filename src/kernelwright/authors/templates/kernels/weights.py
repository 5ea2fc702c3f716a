"""The same two parts of a weight, in plain PyTorch: computed once per load, on whatever device the weight is then."""

import torch
import torch.nn.functional as F


def row_unit(weight):
    """Per row (last axis) the power of two that divides its largest element into 2¹⁴…2¹⁵."""
    exponent = torch.frexp(weight.abs().amax(-1)).exponent - 15
    return torch.exp2(exponent.clamp(-126, 126).to(weight.dtype))


def high_part(weight, depth=None):
    """The leading 11 bits of each element, in units of its row; rows are filled up to depth with zeros."""
    part = (weight / row_unit(weight).unsqueeze(-1)).half()
    return part if depth is None else F.pad(part, (0, depth - part.shape[-1]))


def low_part(weight, depth=None):
    """The 11 bits that follow."""
    scaled = weight / row_unit(weight).unsqueeze(-1)
    part = (scaled - scaled.half()).half()
    return part if depth is None else F.pad(part, (0, depth - part.shape[-1]))
