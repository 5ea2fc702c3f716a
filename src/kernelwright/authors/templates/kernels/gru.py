"""All steps of a GRU layer in one launch; as lstm.py, without cells, and with a fourth gate of zeros."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from kernelwright.authors.templates.kernels.barrier import wait_for_all


@triton.jit
def gru_kernel(
    projected, weight, bias, state, arrived, STEPS, by_step, by_image,
    BATCH: tl.constexpr, HIDDEN: tl.constexpr, DIRECTIONS: tl.constexpr, BIAS: tl.constexpr,
    UNITS: tl.constexpr, INNER: tl.constexpr, IMAGES: tl.constexpr,
):  # fmt: skip
    direction = tl.program_id(1)
    unit = tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    row = tl.program_id(0) * 4 * UNITS + tl.arange(0, 4 * UNITS)
    inner, image = tl.arange(0, INNER), tl.arange(0, IMAGES)
    known = inner < HIDDEN
    held = known[:, None] & (row < 4 * HIDDEN)[None, :]
    w = tl.load(weight + (direction * HIDDEN + inner[:, None]) * (4 * HIDDEN) + row[None, :], mask=held, other=0.0)
    there = (unit < HIDDEN)[:, None]
    mine = there & (image < BATCH)[None, :]
    bias += direction * 3 * HIDDEN + unit[:, None]
    br = tl.load(bias, mask=there & BIAS, other=0.0)
    bz = tl.load(bias + HIDDEN, mask=there & BIAS, other=0.0)
    bn = tl.load(bias + 2 * HIDDEN, mask=there & BIAS, other=0.0)
    image_size: tl.constexpr = DIRECTIONS * HIDDEN
    state += direction * HIDDEN
    own = image[None, :] * image_size + unit[:, None]
    projected += direction * 3 * HIDDEN + image[None, :] * by_image + unit[:, None]
    old = tl.load(state + direction * (STEPS + 1) * (BATCH * image_size) + own, mask=mine, other=0.0)
    for step in range(STEPS):
        time = step + direction * (STEPS - 1 - 2 * step)
        x = projected + time * by_step
        r = tl.load(x, mask=mine, other=0.0)
        z = tl.load(x + HIDDEN, mask=mine, other=0.0)
        n = tl.load(x + 2 * HIDDEN, mask=mine, other=0.0)
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
        gates = tl.permute(tl.reshape(sums, [UNITS, 2, 2, IMAGES]), (0, 3, 1, 2))
        rn, z0 = tl.split(gates)
        sr, sn = tl.split(rn)
        sz, _ = tl.split(z0)
        n = libdevice.tanh(n + (sn + bn) / (1.0 + libdevice.exp(-(r + sr + br))))
        old = n + (old - n) / (1.0 + libdevice.exp(-(z + sz + bz)))
        tl.store(state + (time + 1) * (BATCH * image_size) + own, old, mask=mine)
        if step + 1 < STEPS:
            wait_for_all(arrived + direction, (step + 1) * tl.num_programs(0))
