"""Where the largest element of each row lies: the first of equal ones, NaN before all others.

Elements are compared as integers of the same order. Each position of a block keeps the first of its largest elements;
the first of these is the row's. Rows lie as in reduction.py.
"""

import triton
import triton.language as tl

from kernelwright.authors.templates.kernels.reduction import rows_of


@triton.jit
def rank_of(x, LEAST: tl.constexpr):
    """An integer that grows with x, or falls (LEAST), the same for both zeros; the largest for NaN."""
    bits = x.to(tl.int32, bitcast=True)
    rank = tl.where(x == 0.0, 0, tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits))
    if LEAST:
        rank = rank ^ -1
    return tl.where(x == x, rank, 0x7FFFFFFF)


@triton.jit
def value_of(rank, LEAST: tl.constexpr):
    if LEAST:
        rank = rank ^ -1
    return tl.where(rank < 0, rank ^ 0x7FFFFFFF, rank).to(tl.float32, bitcast=True)


@triton.jit
def extreme_kernel(
    x_pointer, values, indices, OUTER: tl.constexpr, LENGTH: tl.constexpr, INNER: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr, PART: tl.constexpr, LEAST: tl.constexpr,
):  # fmt: skip
    """Of each part of each row. LEAST: the smallest element in place of the largest."""
    part = tl.program_id(1)
    outer, inner, row_inside = rows_of(tl.program_id(0), OUTER, INNER, LANES)
    base = (outer * (LENGTH * INNER) + inner)[:, None]
    column = tl.arange(0, BLOCK)
    nothing: tl.constexpr = -0x80000000
    best = tl.full([LANES, BLOCK], nothing, tl.int32)
    at = tl.zeros([LANES, BLOCK], tl.int32)
    for start in range(0, PART, BLOCK):
        r = part * PART + start + column
        r_inside = r < LENGTH
        inside = row_inside[:, None] & r_inside[None, :]
        place = base + r[None, :] * INNER
        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
        rank = tl.where(inside, rank_of(x, LEAST), nothing)
        at = tl.where(rank > best, r[None, :], at)
        best = tl.maximum(best, rank)
    most = tl.max(best, 1)
    first = tl.min(tl.where(best == most[:, None], at, LENGTH), 1)
    spot = part.to(tl.int64) * (OUTER * INNER) + outer * INNER + inner
    tl.store(values + spot, value_of(most, LEAST), mask=row_inside)
    tl.store(indices + spot, first.to(tl.int64), mask=row_inside)


@triton.jit
def joined_extremes_kernel(
    values, indices, ROWS: tl.constexpr, PARTS: tl.constexpr, WIDE: tl.constexpr, LEAST: tl.constexpr
):  # fmt: skip
    """Of whole rows, in the place of their first parts'. WIDE: the power of two that is not below PARTS."""
    row, part = tl.program_id(0), tl.arange(0, WIDE)
    there = part < PARTS
    spot = part * ROWS + row
    value = tl.load(values + spot, mask=there, other=0.0)
    rank = tl.where(there, rank_of(value, LEAST), -0x80000000)
    most = tl.max(rank, 0)
    index = tl.load(indices + spot, mask=there & (rank == most), other=0x7FFFFFFFFFFFFFFF)
    tl.store(values + row, value_of(most, LEAST))
    tl.store(indices + row, tl.min(index, 0))
