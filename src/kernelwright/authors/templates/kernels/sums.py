"""Statistics of a sum: ``a`` is the sum, ``b`` nothing.

Partial sums are kept for each position of a block and added up as a tree at the end, so that the error grows with the
logarithm of a block and with the number of blocks, not with the number of elements.
"""

import triton
import triton.language as tl


@triton.jit
def no_statistics(LANES: tl.constexpr, BLOCK: tl.constexpr):
    return tl.zeros([LANES, BLOCK], tl.float32), tl.zeros([LANES, BLOCK], tl.float32)


@triton.jit
def first_statistics(x, inside):
    return tl.where(inside, x, 0.0), tl.zeros_like(x)


@triton.jit
def further_statistics(a, b, x, inside, number):
    return a + tl.where(inside, x, 0.0), b


@triton.jit
def joined_statistics(a, b, seen, length):
    total = tl.sum(a, 1)
    return total, total
