"""A convolution in which each output channel sees one input channel, in float32, and what follows it.

It moves far more bytes than it computes: each tap is one load, which the L1 cache serves but for the first, and one
multiply-add; sizes are constants of the kernel, so that a tap's offset is part of its load.
"""

import triton
import triton.language as tl

from kernelwright.authors.templates.kernels.windows import outputs_of_tile


@triton.jit
def depthwise_kernel(
    source, weight, out, PLANES: tl.constexpr, CHANNELS: tl.constexpr, MULTIPLE: tl.constexpr,
    D: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OD: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, SD: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PD: tl.constexpr, PH: tl.constexpr, PW: tl.constexpr, DD: tl.constexpr, DH: tl.constexpr, DW: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, ALONE: tl.constexpr,
):  # fmt: skip
    plane, row, column, there = outputs_of_tile(PLANES, OD * OH, ROWS, COLUMNS, ALONE)
    channel = plane % CHANNELS
    depth, height, across = row // OH * SD - PD, row % OH * SH - PH, column * SW - PW
    # planes of the input and of the output come in the same order, MULTIPLE of these for one of those
    corner = plane // MULTIPLE * (D * H * W) + (depth * H + height) * W + across
    if SW > 1:  # threads side by side read columns that are: see windows.py
        corner = tl.max_contiguous(tl.multiple_of(corner, (1, 1)), (1, COLUMNS))
    taps = weight + channel * (KD * KH * KW)
    x = tl.zeros([ROWS, COLUMNS], tl.float32)
    for kd in tl.static_range(KD):
        for kh in tl.static_range(KH):
            d, h = depth + kd * DD, height + kh * DH
            beside = there & (d >= 0) & (d < D) & (h >= 0) & (h < H)
            for kw in tl.static_range(KW):
                w = across + kw * DW
                fits = beside & (w >= 0) & (w < W)
                value = tl.load(source + corner + ((kd * DD * H + kh * DH) * W + kw * DW), mask=fits, other=0.0)
                x += value * tl.load(taps + ((kd * KH + kh) * KW + kw))
    inside = there & (column < OW)
    place = plane * (OD * OH * OW) + row * OW + column
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
