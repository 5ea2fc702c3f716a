"""The mean of each window, with the pointwise work in front of them and behind them."""

import triton
import triton.language as tl

from kernelwright.authors.templates.kernels.windows import outputs_of_tile


@triton.jit
def avg_pool_kernel(
    source, out, PLANES: tl.constexpr, CHANNELS: tl.constexpr,
    D: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OD: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, SD: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PD: tl.constexpr, PH: tl.constexpr, PW: tl.constexpr, DD: tl.constexpr, DH: tl.constexpr, DW: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, ALONE: tl.constexpr, PADDED: tl.constexpr, DIVISOR: tl.constexpr,
):  # fmt: skip
    # DIVISOR 0: the places of a window that are counted, with the padding (PADDED) or without it
    plane, row, column, there = outputs_of_tile(PLANES, OD * OH, ROWS, COLUMNS, ALONE)
    depth, height, across = row // OH * SD - PD, row % OH * SH - PH, column * SW - PW
    corner = plane * (D * H * W) + (depth * H + height) * W + across
    if SW > 1:  # threads side by side read columns that are: see windows.py
        corner = tl.max_contiguous(tl.multiple_of(corner, (1, 1)), (1, COLUMNS))
    x = tl.zeros([ROWS, COLUMNS], tl.float32)
    for kd in tl.static_range(KD):
        for kh in tl.static_range(KH):
            d, h = depth + kd, height + kh
            beside = there & (d >= 0) & (d < D) & (h >= 0) & (h < H)
            for kw in tl.static_range(KW):
                w = across + kw
                fits = beside & (w >= 0) & (w < W)
                spot = corner + ((kd * H + kh) * W + kw)
                v = tl.load(source + spot, mask=fits, other=0.0)
                # PROLOGUE: v becomes what is pooled
                x += tl.where(fits, v, 0.0)
    if DIVISOR > 0:
        x = tl.div_rn(x, DIVISOR * 1.0)
    elif PADDED:
        deep, high = tl.minimum(depth + KD, D + PD) - depth, tl.minimum(height + KH, H + PH) - height
        x = tl.div_rn(x, (deep * high * (tl.minimum(across + KW, W + PW) - across)).to(tl.float32))
    else:
        deep = tl.minimum(depth + KD, D) - tl.maximum(depth, 0)
        high = tl.minimum(height + KH, H) - tl.maximum(height, 0)
        wide = tl.minimum(across + KW, W) - tl.maximum(across, 0)
        x = tl.div_rn(x, (deep * high * wide).to(tl.float32))
    inside = there & (column < OW)
    place = plane * (OD * OH * OW) + row * OW + column
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
