"""All steps of a plain recurrent layer in one launch; as lstm.py, without cells and gates."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from kernelwright.authors.templates.kernels.barrier import wait_for_all


@triton.jit
def rnn_kernel(
    projected, weight, state, arrived, STEPS, by_step, by_image,
    BATCH: tl.constexpr, HIDDEN: tl.constexpr, DIRECTIONS: tl.constexpr, RELU: tl.constexpr,
    UNITS: tl.constexpr, INNER: tl.constexpr, IMAGES: tl.constexpr,
):  # fmt: skip
    direction = tl.program_id(1)
    unit = tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    inner, image = tl.arange(0, INNER), tl.arange(0, IMAGES)
    known = inner < HIDDEN
    held = known[:, None] & (unit < HIDDEN)[None, :]
    w = tl.load(weight + (direction * HIDDEN + inner[:, None]) * HIDDEN + unit[None, :], mask=held, other=0.0)
    mine = (unit < HIDDEN)[:, None] & (image < BATCH)[None, :]
    image_size: tl.constexpr = DIRECTIONS * HIDDEN
    state += direction * HIDDEN
    projected += direction * HIDDEN + image[None, :] * by_image + unit[:, None]
    for step in range(STEPS):
        time = step + direction * (STEPS - 1 - 2 * step)
        x = tl.load(projected + time * by_step, mask=mine, other=0.0)
        before = state + (time + 2 * direction) * (BATCH * image_size) + inner
        h0 = tl.load(before, mask=known, other=0.0, cache_modifier=".cg")
        h1 = tl.load(before + image_size, mask=known & (BATCH > 1), other=0.0, cache_modifier=".cg")
        h2 = tl.load(before + 2 * image_size, mask=known & (BATCH > 2), other=0.0, cache_modifier=".cg")
        h3 = tl.load(before + 3 * image_size, mask=known & (BATCH > 3), other=0.0, cache_modifier=".cg")
        sums = tl.zeros([UNITS, IMAGES], tl.float32)
        for k in tl.static_range(BATCH):
            h, h0, h1, h2 = h0, h1, h2, h3
            h3 = tl.load(before + (k + 4) * image_size, mask=known & (k + 4 < BATCH), other=0.0, cache_modifier=".cg")
            sums = tl.where((image == k)[None, :], tl.sum(w * h[:, None], 0)[:, None], sums)
        x += sums
        x = tl.maximum(x, 0.0, propagate_nan=tl.PropagateNan.ALL) if RELU else libdevice.tanh(x)
        after = state + (time + 1) * (BATCH * image_size)
        tl.store(after + image[None, :] * image_size + unit[:, None], x, mask=mine)
        if step + 1 < STEPS:
            wait_for_all(arrived + direction, (step + 1) * tl.num_programs(0))
