"""The cross entropy of rows of logits, LENGTH classes each, and one class for each row: everything is read once.

Loss = (largest - x[class]) + log(sum of exp(x - largest)), with both found online (kernels/exponentials.py). The sums
of programs are added up by a kernel of one program, in a fixed order. Rows lie as in reduction.py.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from kernelwright.authors.templates.kernels.exponentials import (
    first_statistics,
    further_statistics,
    joined_statistics,
    no_statistics,
)
from kernelwright.authors.templates.kernels.reduction import rows_of


@triton.jit
def entropy_kernel(
    x_pointer, classes, losses, counts, OUTER: tl.constexpr, LENGTH: tl.constexpr, INNER: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr, IGNORED: tl.constexpr, EACH: tl.constexpr,
):  # fmt: skip
    """EACH: one loss for each row; else sums and numbers of those that count, for each program."""
    outer, inner, row_inside = rows_of(tl.program_id(0), OUTER, INNER, LANES)
    spot = outer * INNER + inner
    known = tl.load(classes + spot, mask=row_inside, other=IGNORED)
    counts_here = row_inside & (known != IGNORED)
    wanted = known.to(tl.int32)
    base = (outer * (LENGTH * INNER) + inner)[:, None]
    column = tl.arange(0, BLOCK)
    a, b = no_statistics(LANES, BLOCK)
    found = tl.zeros([LANES, BLOCK], tl.float32)
    for start in range(0, LENGTH, BLOCK):
        r = start + column
        r_inside = r < LENGTH
        inside = row_inside[:, None] & r_inside[None, :]
        place = base + r[None, :] * INNER
        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
        found = tl.where(r[None, :] == wanted[:, None], x, found)
        if LENGTH <= BLOCK:
            a, b = first_statistics(x, inside)
        else:
            a, b = further_statistics(a, b, x, inside, start // BLOCK + 1)
    seen = ((LENGTH - column + BLOCK - 1) // BLOCK).to(tl.float32)[None, :]
    a, b = joined_statistics(a, b, seen, LENGTH)
    b = tl.where(a == float("inf"), float("nan"), b)  # PyTorch subtracts an infinite largest element from itself
    loss = tl.where(counts_here, (a - tl.sum(found, 1)) + libdevice.log(b), 0.0)
    if EACH:
        tl.store(losses + spot, loss, mask=row_inside)
    else:
        tl.store(losses + tl.program_id(0), tl.sum(loss, 0))
        tl.store(counts + tl.program_id(0), tl.sum(counts_here.to(tl.int32), 0))


@triton.jit
def joined_entropies_kernel(losses, counts, out, PROGRAMS: tl.constexpr, BLOCK: tl.constexpr, MEAN: tl.constexpr):
    total, number = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.int32)
    for start in range(0, PROGRAMS, BLOCK):
        spot = start + tl.arange(0, BLOCK)
        total += tl.load(losses + spot, mask=spot < PROGRAMS, other=0.0)
        number += tl.load(counts + spot, mask=spot < PROGRAMS, other=0)
    result = tl.sum(total, 0)
    if MEAN:
        result = tl.div_rn(result, tl.sum(number, 0).to(tl.float32))
    tl.store(out, result)
