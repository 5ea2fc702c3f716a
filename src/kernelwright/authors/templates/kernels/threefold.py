"""A float32 convolution at tf32's rate and nearly float32's accuracy: tf32x3 by way of three times as many channels.

x = high + low, both exact in tf32's 11 significant bits up to 2⁻²³ of x, and so is the weight. A convolution of the
channels (high, high, low) with filters (high, low, high) adds up, in float32, all products but the smallest, low · low.
"""

import torch


def high_bits(x):
    """Rounded to tf32's 11 significant bits, halves away from zero."""
    return ((x.view(torch.int32) + 4096) & -8192).view(torch.float32)


def channels_in_three(x, format):
    high = high_bits(x)
    return torch.cat((high, high, x - high), 1).contiguous(memory_format=format)


def filters_in_three(weight, inputs, format):
    """inputs: the axis of input channels."""
    high = high_bits(weight)
    return torch.cat((high, weight - high, high), inputs).contiguous(memory_format=format)
