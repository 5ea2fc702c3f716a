"""A convolution in float16 as plain PyTorch, for TorchInductor to fuse: see kernels/halves.py for what it rests on."""

import torch


def half_input(x, format):
    """x in float16, channels last, in units of a power of two that brings its largest element to 2¹⁴…2¹⁵; the unit."""
    exponent = torch.frexp(x.abs().amax()).exponent - 15
    unit = torch.exp2(exponent.clamp(-126, 126).to(x.dtype))
    return (x / unit).half().contiguous(memory_format=format), unit


def float_output(y, unit, filter_unit):
    """The result in float32, in units of 1."""
    return y.float() * (unit * filter_unit.reshape(1, -1, *[1] * (y.dim() - 2)))
