"""A convolution with one tap as a product over the input as it lies, channels first: its result lies so too.

Columns are the places of all images, one after the other. What is read is brought into float16's range and cut into
parts where it is read (kernels/split.py): one power of two for each column and step, so that nothing is read twice for
it. EXACT: three products of parts, as exactly as float32's; else one, as exactly as tf32's.
"""

import triton
import triton.language as tl

from kernelwright.authors.templates.kernels.split import finite_size, power_of_two, unit_exponent


@triton.jit
def pointwise_kernel(
    source, high, low, unit, out, COLUMNS: tl.constexpr, PLACES: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    # blocks of one column lie side by side: what they read together comes from the L2 cache
    down: tl.constexpr = (OUT + BM - 1) // BM
    channel = tl.program_id(0) % down * BM + tl.arange(0, BM)
    column = tl.program_id(0) // down * BN + tl.arange(0, BN)
    within, there = channel < OUT, column < COLUMNS
    image, across = (column // PLACES).to(tl.int64), column % PLACES
    base = image * (IN * PLACES) + across
    x = tl.zeros([BM, BN], tl.float32)
    for start in range(0, IN, BK):
        inner = start + tl.arange(0, BK)
        fits = (inner < IN)[:, None] & there[None, :]
        spot = base[None, :] + inner[:, None] * PLACES
        if PLACES % 2 == 1:  # threads side by side read columns that are: see windows.py
            spot = tl.max_contiguous(tl.multiple_of(spot, (1, 1)), (1, BN))
        v = tl.load(source + spot, mask=fits, other=0.0)
        # PROLOGUE: v becomes what is convolved
        v = tl.where(fits, v, 0.0)
        exponent = unit_exponent(tl.max(finite_size(v), 0))
        v *= power_of_two(exponent)[None, :]
        top = v.to(tl.float16)
        filters = channel[:, None] * IN + inner[None, :]
        known = within[:, None] & (inner < IN)[None, :]
        step = tl.zeros([BM, BN], tl.float32)
        if EXACT:
            rest = tl.where(tl.abs(v) < float("inf"), v - top.to(tl.float32), 0.0).to(tl.float16)
            step = tl.dot(tl.load(low + filters, mask=known, other=0.0), top, step)
            step = tl.dot(tl.load(high + filters, mask=known, other=0.0), rest, step)
        step = tl.dot(tl.load(high + filters, mask=known, other=0.0), top, step)
        x += step * power_of_two(-exponent)[None, :]
    x *= tl.load(unit + channel, mask=within, other=0.0)[:, None]
    inside = within[:, None] & there[None, :]
    place = (image * (OUT * PLACES) + across)[None, :] + channel[:, None] * PLACES
    if PLACES % 2 == 1:
        place = tl.max_contiguous(tl.multiple_of(place, (1, 1)), (1, BN))
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
