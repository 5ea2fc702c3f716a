"""Statistics of a softmax: ``a`` is the largest element, ``b`` the sum of exp(x − a).

Milakov and Gimelshein, Online normalizer calculation for softmax, 2018 (arXiv:1805.02867), at each position of a block.
Where ``a`` is infinite, ``b`` is the sum of exp(x).
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def no_statistics(LANES: tl.constexpr, BLOCK: tl.constexpr):
    return tl.full([LANES, BLOCK], float("-inf"), tl.float32), tl.zeros([LANES, BLOCK], tl.float32)


@triton.jit
def first_statistics(x, inside):
    return tl.where(inside, x, float("-inf")), tl.where(inside, 1.0, 0.0)


@triton.jit
def further_statistics(a, b, x, inside, number):
    # one exponential: either the old sum shrinks, or the new element is the smaller one
    factor = tl.where(x == a, 1.0, libdevice.exp(-tl.abs(x - a)))
    grown = tl.where(x > a, b * factor + 1.0, b + factor)
    return tl.where(inside & (x > a), x, a), tl.where(inside, grown, b)


@triton.jit
def joined_statistics(a, b, seen, length):
    largest = tl.max(tl.where((seen > 0) & (a == a), a, float("-inf")), 1)
    base = tl.where(tl.abs(largest) == float("inf"), 0.0, largest)
    # the sum of a position that saw an infinity is one of exp(x), and its largest element stays in it
    return largest, tl.sum(tl.where(seen > 0, b * libdevice.exp(a - base[:, None]), 0.0), 1)
