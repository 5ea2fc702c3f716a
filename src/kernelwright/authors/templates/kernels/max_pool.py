"""The largest value of each window, with the pointwise work in front of them and behind them."""

import triton
import triton.language as tl

from kernelwright.authors.templates.kernels.windows import outputs_of_tile


@triton.jit
def max_pool_kernel(
    source, out, PLANES: tl.constexpr, CHANNELS: tl.constexpr,
    D: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OD: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, SD: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PD: tl.constexpr, PH: tl.constexpr, PW: tl.constexpr, DD: tl.constexpr, DH: tl.constexpr, DW: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, ALONE: tl.constexpr,
):  # fmt: skip
    plane, row, column, there = outputs_of_tile(PLANES, OD * OH, ROWS, COLUMNS, ALONE)
    depth, height, across = row // OH * SD - PD, row % OH * SH - PH, column * SW - PW
    corner = plane * (D * H * W) + (depth * H + height) * W + across
    if SW > 1:  # threads side by side read columns that are: see windows.py
        corner = tl.max_contiguous(tl.multiple_of(corner, (1, 1)), (1, COLUMNS))
    x = tl.full([ROWS, COLUMNS], float("-inf"), tl.float32)
    for kd in tl.static_range(KD):
        for kh in tl.static_range(KH):
            d, h = depth + kd * DD, height + kh * DH
            beside = there & (d >= 0) & (d < D) & (h >= 0) & (h < H)
            for kw in tl.static_range(KW):
                w = across + kw * DW
                fits = beside & (w >= 0) & (w < W)
                spot = corner + ((kd * DD * H + kh * DH) * W + kw * DW)
                v = tl.load(source + spot, mask=fits, other=0.0)
                # PROLOGUE: v becomes what is pooled
                x = tl.maximum(x, tl.where(fits, v, float("-inf")), propagate_nan=tl.PropagateNan.ALL)
    inside = there & (column < OW)
    place = plane * (OD * OH * OW) + row * OW + column
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
