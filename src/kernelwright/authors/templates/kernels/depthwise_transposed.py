"""A transposed convolution in which each output channel sees one input channel, in float32, and what follows it.

As depthwise.py, looked at from the output: of all taps an output sees those that lead to a place of the input, and
what the others would load is left out.
"""

import triton
import triton.language as tl

from kernelwright.authors.templates.kernels.windows import outputs_of_tile


@triton.jit
def depthwise_transposed_kernel(
    source, weight, out, PLANES: tl.constexpr, CHANNELS: tl.constexpr, MULTIPLE: tl.constexpr,
    D: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OD: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, SD: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PD: tl.constexpr, PH: tl.constexpr, PW: tl.constexpr, DD: tl.constexpr, DH: tl.constexpr, DW: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, ALONE: tl.constexpr,
):  # fmt: skip
    plane, row, column, there = outputs_of_tile(PLANES, OD * OH, ROWS, COLUMNS, ALONE)
    channel = plane % CHANNELS
    corner = plane // MULTIPLE * (D * H * W)
    taps = weight + channel * (KD * KH * KW)
    x = tl.zeros([ROWS, COLUMNS], tl.float32)
    for kd in tl.static_range(KD):
        for kh in tl.static_range(KH):
            deep, high = row // OH + (PD - kd * DD), row % OH + (PH - kh * DH)
            d, h = deep // SD, high // SH
            beside = there & (deep >= 0) & (deep % SD == 0) & (d < D) & (high >= 0) & (high % SH == 0) & (h < H)
            for kw in tl.static_range(KW):
                across = column + (PW - kw * DW)
                w = across // SW
                fits = beside & (across >= 0) & (across % SW == 0) & (w < W)
                spot = corner + ((d * H + h) * W + w)
                spot = tl.max_contiguous(tl.multiple_of(spot, (1, 1)), (1, COLUMNS))
                value = tl.load(source + spot, mask=fits, other=0.0)
                x += value * tl.load(taps + ((kd * KH + kh) * KW + kw))
    inside = there & (column < OW)
    place = plane * (OD * OH * OW) + row * OW + column
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
