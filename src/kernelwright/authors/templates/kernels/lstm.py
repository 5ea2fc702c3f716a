"""All steps of an LSTM layer in one launch: each program keeps the weights of some hidden units in its registers.

state holds what each step leaves, [STEPS + 2, BATCH, DIRECTIONS · HIDDEN]: step t at t + 1, and what was there before
at either end. Programs hand it to each other through the L2 cache: a state is read where it was written by another
multiprocessor, so past the L1 cache (.cg), for four images ahead of the one that is worked on.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from kernelwright.authors.templates.kernels.barrier import wait_for_all


@triton.jit
def lstm_kernel(
    projected, weight, cell, state, arrived, STEPS, by_step, by_image,
    BATCH: tl.constexpr, HIDDEN: tl.constexpr, DIRECTIONS: tl.constexpr,
    UNITS: tl.constexpr, INNER: tl.constexpr, IMAGES: tl.constexpr,
):  # fmt: skip
    direction = tl.program_id(1)
    unit = tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    row = tl.program_id(0) * 4 * UNITS + tl.arange(0, 4 * UNITS)
    inner, image = tl.arange(0, INNER), tl.arange(0, IMAGES)
    known = inner < HIDDEN
    held = known[:, None] & (row < 4 * HIDDEN)[None, :]
    w = tl.load(weight + (direction * HIDDEN + inner[:, None]) * (4 * HIDDEN) + row[None, :], mask=held, other=0.0)
    mine = (unit < HIDDEN)[:, None] & (image < BATCH)[None, :]
    image_size: tl.constexpr = DIRECTIONS * HIDDEN
    cell += direction * (BATCH * HIDDEN) + image[None, :] * HIDDEN + unit[:, None]
    c = tl.load(cell, mask=mine, other=0.0)
    state += direction * HIDDEN
    projected += direction * 4 * HIDDEN + image[None, :] * by_image + unit[:, None]
    for step in range(STEPS):
        time = step + direction * (STEPS - 1 - 2 * step)
        x = projected + time * by_step
        i = tl.load(x, mask=mine, other=0.0)
        f = tl.load(x + HIDDEN, mask=mine, other=0.0)
        g = tl.load(x + 2 * HIDDEN, mask=mine, other=0.0)
        o = tl.load(x + 3 * HIDDEN, mask=mine, other=0.0)
        before = state + (time + 2 * direction) * (BATCH * image_size) + inner
        h0 = tl.load(before, mask=known, other=0.0, cache_modifier=".cg")
        h1 = tl.load(before + image_size, mask=known & (BATCH > 1), other=0.0, cache_modifier=".cg")
        h2 = tl.load(before + 2 * image_size, mask=known & (BATCH > 2), other=0.0, cache_modifier=".cg")
        h3 = tl.load(before + 3 * image_size, mask=known & (BATCH > 3), other=0.0, cache_modifier=".cg")
        sums = tl.zeros([4 * UNITS, IMAGES], tl.float32)
        for k in tl.static_range(BATCH):
            h, h0, h1, h2 = h0, h1, h2, h3
            h3 = tl.load(before + (k + 4) * image_size, mask=known & (k + 4 < BATCH), other=0.0, cache_modifier=".cg")
            sums = tl.where((image == k)[None, :], tl.sum(w * h[:, None], 0)[:, None], sums)
        # rows are units, of four gates each
        gates = tl.permute(tl.reshape(sums, [UNITS, 2, 2, IMAGES]), (0, 3, 1, 2))
        ig, fo = tl.split(gates)
        si, sg = tl.split(ig)
        sf, so = tl.split(fo)
        c = c / (1.0 + libdevice.exp(-(f + sf))) + libdevice.tanh(g + sg) / (1.0 + libdevice.exp(-(i + si)))
        h = libdevice.tanh(c) / (1.0 + libdevice.exp(-(o + so)))
        after = state + (time + 1) * (BATCH * image_size)
        tl.store(after + image[None, :] * image_size + unit[:, None], h, mask=mine)
        if step + 1 < STEPS:
            wait_for_all(arrived + direction, (step + 1) * tl.num_programs(0))
    tl.store(cell, c, mask=mine)
