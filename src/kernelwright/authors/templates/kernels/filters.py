"""The weights of a convolution in float16, in units of a power of two for each output channel: once per load."""

import torch


def filter_unit(weight, inputs):
    """Per output channel the power of two that divides the sum of a filter's sizes into ½…1. inputs: their axis."""
    sums = weight.abs().sum([axis for axis in range(weight.dim()) if axis != 1 - inputs])
    return torch.exp2(torch.frexp(sums).exponent.clamp(-126, 126).to(weight.dtype))


def half_filters(weight, inputs, format):
    """The weight in those units."""
    shape = [1] * weight.dim()
    shape[1 - inputs] = -1
    return (weight / filter_unit(weight, inputs).reshape(shape)).half().contiguous(memory_format=format)
