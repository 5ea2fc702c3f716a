"""Running sums of rows that lie in one piece: block after block, each with what came before it.

A block is scanned as a tree, so that the error grows with the logarithm of its size and with the number of blocks: for
rows of 2^20 elements 256 roundings of the carry, fewer than those of a scan whose threads each add up a run.
"""

import triton
import triton.language as tl


@triton.jit
def scan_kernel(
    x_pointer, out, ROWS: tl.constexpr, LENGTH: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr,
    REVERSE: tl.constexpr, SHIFT: tl.constexpr,
):  # fmt: skip
    """SHIFT: 1 for sums without the element itself, else 0."""
    outer = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    row_inside = outer < ROWS
    base = (outer * LENGTH)[:, None]
    column = tl.arange(0, BLOCK)
    carry = tl.full([LANES], 0.0, tl.float32)
    for start in range(0, LENGTH, BLOCK):
        target = ((LENGTH - 1) // BLOCK * BLOCK - start if REVERSE else start) + column
        # what is shifted is the reading: stores lie at multiples of 16 bytes
        r = target - SHIFT
        r_inside = (r >= 0) & (target < LENGTH)
        inside = row_inside[:, None] & r_inside[None, :]
        place = base + r[None, :]
        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE
        x = tl.where(inside, x, 0.0)
        y = tl.cumsum(x, 1, reverse=REVERSE) + carry[:, None]
        edge = column == (0 if REVERSE else BLOCK - 1)
        carry = tl.sum(tl.where(edge[None, :], y, 0.0), 1)
        tl.store(out + base + target[None, :], y, mask=row_inside[:, None] & (target < LENGTH)[None, :])
