"""The weight of a convolution as its kernel reads it, in float16, [taps, outputs, inputs of a group]: once per load."""

import torch


def by_taps(weight, groups, transposed):
    """One matrix for each tap. groups: of the channels; transposed: inputs come first, as in PyTorch."""
    if transposed:
        weight = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    return weight.flatten(2).permute(2, 0, 1)


def taps_unit(weight, groups, transposed):
    """Per output channel the power of two that divides its largest element into 2¹⁴…2¹⁵."""
    exponent = torch.frexp(by_taps(weight, groups, transposed).abs().amax((0, 2))).exponent - 15
    return torch.exp2(exponent.clamp(-126, 126).to(weight.dtype))


def half_taps(weight, groups, transposed):
    """The matrices in those units."""
    unit = taps_unit(weight, groups, transposed).reshape(1, -1, 1)
    return (by_taps(weight, groups, transposed) / unit).half().contiguous()
