"""Statistics of a maximum: ``a`` is the largest element, NaN where there is one; ``b`` nothing."""

import triton
import triton.language as tl


@triton.jit
def no_statistics(LANES: tl.constexpr, BLOCK: tl.constexpr):
    return tl.full([LANES, BLOCK], float("-inf"), tl.float32), tl.zeros([LANES, BLOCK], tl.float32)


@triton.jit
def first_statistics(x, inside):
    return tl.where(inside, x, float("-inf")), tl.zeros_like(x)


@triton.jit
def further_statistics(a, b, x, inside, number):
    return tl.maximum(a, tl.where(inside, x, float("-inf")), propagate_nan=tl.PropagateNan.ALL), b


@triton.jit
def joined_statistics(a, b, seen, length):
    # tl.max passes NaN over
    largest = tl.max(tl.where((seen > 0) & (a == a), a, float("-inf")), 1)
    spoilt = tl.max(((seen > 0) & (a != a)).to(tl.int32), 1) > 0
    largest = tl.where(spoilt, float("nan"), largest)
    return largest, largest
