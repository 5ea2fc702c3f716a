"""Statistics of a variance: ``a`` is the mean, ``b`` the sum of squared distances from it.

Welford's recurrence (1962) at each position of a block, joined by Chan, Golub and LeVeque's formula (1979): nothing is
subtracted from a sum of squares. A single block is the plain two-pass algorithm.
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
    # number: of the block, from 1 on, which is how many elements each position has seen
    distance = x - a
    mean = a + distance * (1.0 / number)
    return tl.where(inside, mean, a), tl.where(inside, b + distance * (x - mean), b)


@triton.jit
def joined_statistics(a, b, seen, length):
    # sums of distances from some mean near all of them are smaller, and their rounding with them
    mean = tl.div_rn(tl.sum(a * seen, 1), length * 1.0)
    distance = tl.where(seen > 0, a - mean[:, None], 0.0)
    shift = tl.div_rn(tl.sum(distance * seen, 1), length * 1.0)
    distance = tl.where(seen > 0, distance - shift[:, None], 0.0)
    return mean + shift, tl.sum(tl.where(seen > 0, b, 0.0) + seen * distance * distance, 1)
