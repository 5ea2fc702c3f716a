"""Rows of LENGTH elements, INNER apart, OUTER · INNER of them: statistics of each, and what is computed from these.

A block is LANES rows by BLOCK elements. Where INNER is 1, a row lies in one piece; else rows that lie side by side are
read side by side. ``place`` is where the elements of a block lie, ``spot`` the numbers of its rows. Lines that end in a
name in capitals stand for the pointwise work of a graph: PROLOGUE loads and makes x, which is reduced, MIDDLE makes one
value for each row of its statistics a and b, EPILOGUE makes y, which is stored.
"""

import triton
import triton.language as tl

from kernelwright.authors.templates.kernels.barrier import wait_for_all
from kernelwright.authors.templates.kernels.sums import (
    first_statistics,
    further_statistics,
    joined_statistics,
    no_statistics,
)


@triton.jit
def rows_of(block, OUTER: tl.constexpr, INNER: tl.constexpr, LANES: tl.constexpr):
    """Of the block with this number: which row of the outer axes, which of the inner, and whether it is there."""
    lane = tl.arange(0, LANES)
    if INNER == 1:
        outer = block.to(tl.int64) * LANES + lane
        inner = tl.zeros([LANES], tl.int32)
        inside = outer < OUTER
    else:
        across: tl.constexpr = (INNER + LANES - 1) // LANES
        outer = (block // across).to(tl.int64) + tl.zeros([LANES], tl.int64)
        inner = block % across * LANES + lane
        inside = inner < INNER
    return outer, inner, inside


@triton.jit
def whole_kernel(
    x_pointer, out, OUTER: tl.constexpr, LENGTH: tl.constexpr, INNER: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    outer, inner, row_inside = rows_of(tl.program_id(0), OUTER, INNER, LANES)
    spot = outer * INNER + inner
    r = tl.arange(0, BLOCK)
    r_inside = r < LENGTH
    inside = row_inside[:, None] & r_inside[None, :]
    place = (outer * (LENGTH * INNER) + inner)[:, None] + r[None, :] * INNER
    x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
    a, b = first_statistics(x, inside)
    a, b = joined_statistics(a, b, tl.where(inside, 1.0, 0.0), LENGTH)
    v = a + b + tl.load(x_pointer + spot, mask=row_inside, other=0.0)  # MIDDLE
    y = x - v[:, None]  # EPILOGUE
    tl.store(out + place, y, mask=inside)


@triton.jit
def shared_kernel(
    x_pointer, parts, arrived, out, OUTER: tl.constexpr, LENGTH: tl.constexpr, INNER: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr, PARTS: tl.constexpr, WIDE: tl.constexpr, GROUPS: tl.constexpr,
):  # fmt: skip
    """Rows in one piece, each kept by PARTS programs, a BLOCK by one, which tell each other their statistics."""
    part = tl.program_id(0) % PARTS
    inner = tl.zeros([LANES], tl.int32)
    r = part * BLOCK + tl.arange(0, BLOCK)
    r_inside = r < LENGTH
    each = tl.arange(0, WIDE)
    for row in range(tl.program_id(0) // PARTS, OUTER, GROUPS):
        outer = inner.to(tl.int64) + row
        spot = outer
        row_inside = outer < OUTER
        inside = row_inside[:, None] & r_inside[None, :]
        place = (outer * LENGTH)[:, None] + r[None, :]
        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
        a, b = first_statistics(x, inside)
        count = tl.minimum(LENGTH - part * BLOCK, BLOCK)
        a, b = joined_statistics(a, b, tl.where(inside, 1.0, 0.0), count)
        tl.store(parts + spot * PARTS + part, a, mask=row_inside)
        tl.store(parts + (spot + OUTER) * PARTS + part, b, mask=row_inside)
        wait_for_all(arrived + row, PARTS)
        there = row_inside[:, None] & (each < PARTS)[None, :]
        own = parts + spot[:, None] * PARTS + each[None, :]
        a = tl.load(own, mask=there, other=0.0, cache_modifier=".cg")
        b = tl.load(own + OUTER * PARTS, mask=there, other=0.0, cache_modifier=".cg")
        seen = tl.minimum(tl.maximum(LENGTH - each * BLOCK, 0), BLOCK).to(tl.float32)[None, :]
        a, b = joined_statistics(a, b, seen, LENGTH)
        # There is one lane. As numbers they fit any layout; as a vector Triton 3.6 lays them out as the few statistics
        # lie, and stores each for every element of the block into shared memory to lay it out again.
        a, b = tl.sum(a, 0) + tl.zeros([LANES], tl.float32), tl.sum(b, 0) + tl.zeros([LANES], tl.float32)
        v = a + b + tl.load(x_pointer + spot, mask=row_inside, other=0.0)  # MIDDLE
        y = x - v[:, None]  # EPILOGUE
        tl.store(out + place, y, mask=inside)


@triton.jit
def looped_kernel(
    x_pointer, out, OUTER: tl.constexpr, LENGTH: tl.constexpr, INNER: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    outer, inner, row_inside = rows_of(tl.program_id(0), OUTER, INNER, LANES)
    spot = outer * INNER + inner
    base = (outer * (LENGTH * INNER) + inner)[:, None]
    column = tl.arange(0, BLOCK)
    a, b = no_statistics(LANES, BLOCK)
    for start in range(0, LENGTH, BLOCK):
        r = start + column
        r_inside = r < LENGTH
        inside = row_inside[:, None] & r_inside[None, :]
        place = base + r[None, :] * INNER
        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
        a, b = further_statistics(a, b, x, inside, start // BLOCK + 1)
    seen = ((LENGTH - column + BLOCK - 1) // BLOCK).to(tl.float32)[None, :]
    a, b = joined_statistics(a, b, seen, LENGTH)
    v = a + b + tl.load(x_pointer + spot, mask=row_inside, other=0.0)  # MIDDLE
    # backwards: what was read last is still in the cache, and what is written must not take its place
    for back in range(0, LENGTH, BLOCK):
        r = (LENGTH - 1) // BLOCK * BLOCK - back + column
        r_inside = r < LENGTH
        inside = row_inside[:, None] & r_inside[None, :]
        place = base + r[None, :] * INNER
        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
        y = x - v[:, None]  # EPILOGUE
        tl.store(out + place, y, mask=inside, eviction_policy="evict_first")


@triton.jit
def reduced_kernel(
    x_pointer, out, OUTER: tl.constexpr, LENGTH: tl.constexpr, INNER: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    outer, inner, row_inside = rows_of(tl.program_id(0), OUTER, INNER, LANES)
    spot = outer * INNER + inner
    base = (outer * (LENGTH * INNER) + inner)[:, None]
    column = tl.arange(0, BLOCK)
    a, b = no_statistics(LANES, BLOCK)
    for start in range(0, LENGTH, BLOCK):
        r = start + column
        r_inside = r < LENGTH
        inside = row_inside[:, None] & r_inside[None, :]
        place = base + r[None, :] * INNER
        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
        a, b = further_statistics(a, b, x, inside, start // BLOCK + 1)
    seen = ((LENGTH - column + BLOCK - 1) // BLOCK).to(tl.float32)[None, :]
    a, b = joined_statistics(a, b, seen, LENGTH)
    y = a + b  # MIDDLE
    tl.store(out + spot, y, mask=row_inside)


@triton.jit
def parts_kernel(
    x_pointer, parts, OUTER: tl.constexpr, LENGTH: tl.constexpr, INNER: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr, PART: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    """Statistics of PART elements of each row; ``parts``: all the a, then all the b, each (OUTER · INNER, PARTS)."""
    part = tl.program_id(1)
    outer, inner, row_inside = rows_of(tl.program_id(0), OUTER, INNER, LANES)
    spot = outer * INNER + inner
    base = (outer * (LENGTH * INNER) + inner)[:, None]
    column = tl.arange(0, BLOCK)
    count = tl.minimum(LENGTH - part * PART, PART)
    a, b = no_statistics(LANES, BLOCK)
    for start in range(0, PART, BLOCK):
        r = part * PART + start + column
        r_inside = start + column < count
        inside = row_inside[:, None] & r_inside[None, :]
        place = base + r[None, :] * INNER
        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
        a, b = further_statistics(a, b, x, inside, start // BLOCK + 1)
    seen = (tl.maximum(count - column + BLOCK - 1, 0) // BLOCK).to(tl.float32)[None, :]
    a, b = joined_statistics(a, b, seen, count)
    tl.store(parts + spot * PARTS + part, a, mask=row_inside)
    tl.store(parts + (spot + OUTER * INNER) * PARTS + part, b, mask=row_inside)


@triton.jit
def joined_parts(
    parts, spot, row_inside, ROWS: tl.constexpr, LENGTH: tl.constexpr, PART: tl.constexpr, PARTS: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    """The statistics of whole rows. WIDE: the power of two that is not below PARTS."""
    part = tl.arange(0, WIDE)
    there = row_inside[:, None] & (part < PARTS)[None, :]
    place = spot[:, None] * PARTS + part[None, :]
    a = tl.load(parts + place, mask=there, other=0.0)
    b = tl.load(parts + ROWS * PARTS + place, mask=there, other=0.0)
    seen = tl.minimum(tl.maximum(LENGTH - part * PART, 0), PART).to(tl.float32)[None, :]
    return joined_statistics(a, b, seen, LENGTH)


@triton.jit
def joined_kernel(
    x_pointer, parts, out, OUTER: tl.constexpr, LENGTH: tl.constexpr, INNER: tl.constexpr,
    LANES: tl.constexpr, PART: tl.constexpr, PARTS: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    outer, inner, row_inside = rows_of(tl.program_id(0), OUTER, INNER, LANES)
    spot = outer * INNER + inner
    a, b = joined_parts(parts, spot, row_inside, OUTER * INNER, LENGTH, PART, PARTS, WIDE)
    y = a + b  # MIDDLE
    tl.store(out + spot, y, mask=row_inside)


@triton.jit
def applied_kernel(
    x_pointer, parts, out, OUTER: tl.constexpr, LENGTH: tl.constexpr, INNER: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr, PART: tl.constexpr, PARTS: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    # backwards: what the statistics read last is still in the cache
    part = PARTS - 1 - tl.program_id(1)
    outer, inner, row_inside = rows_of(tl.num_programs(0) - 1 - tl.program_id(0), OUTER, INNER, LANES)
    spot = outer * INNER + inner
    base = (outer * (LENGTH * INNER) + inner)[:, None]
    a, b = joined_parts(parts, spot, row_inside, OUTER * INNER, LENGTH, PART, PARTS, WIDE)
    if LANES == 1:  # as numbers: see shared_kernel
        a, b = tl.sum(a, 0) + tl.zeros([LANES], tl.float32), tl.sum(b, 0) + tl.zeros([LANES], tl.float32)
    v = a + b + tl.load(x_pointer + spot, mask=row_inside, other=0.0)  # MIDDLE
    column = tl.arange(0, BLOCK)
    count = tl.minimum(LENGTH - part * PART, PART)
    for start in range(0, PART, BLOCK):
        r = part * PART + start + column
        r_inside = start + column < count
        inside = row_inside[:, None] & r_inside[None, :]
        place = base + r[None, :] * INNER
        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
        y = x - v[:, None]  # EPILOGUE
        tl.store(out + place, y, mask=inside)
