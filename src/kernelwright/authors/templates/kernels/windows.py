"""Which outputs a program computes, for kernels whose every output sees a window of one plane.

A plane is one channel of one image; its rows are those of all its depths. A tile is ROWS × COLUMNS outputs: of one
plane (ALONE), or, where planes are lower than a tile, of the rows of all planes one after the other.

Threads that lie side by side must read columns that do. Triton lays them along the axis along which it knows
addresses to follow each other; where columns are read two apart it knows of none, and takes either one, by its
version. So kernels tell it that they do (``max_contiguous``), and that no address is a multiple of anything
(``multiple_of``): then it reads one element at a time, and those that do not follow each other are read rightly too.

Rows are what is left after a subtraction, not remainders: of a remainder LLVM knows how few bits hold it, and computes
in 16 bits with two rows in one register. ptxas 12.8, which Triton 3.6 brings, miscompiles that: where it makes the
result of an ``add.s16x2`` a second time instead of keeping it, it adds zero (``VIADD.16x2 R0, R0, 0x0`` for ``-1``).
"""

import triton
import triton.language as tl


@triton.jit
def outputs_of_tile(
    PLANES: tl.constexpr, PLANE_ROWS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, ALONE: tl.constexpr
):  # fmt: skip
    """The plane (a number, or one for each row), its rows and columns, and which rows there are."""
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    if ALONE:
        down: tl.constexpr = (PLANE_ROWS + ROWS - 1) // ROWS
        plane = tl.program_id(0) // down
        row = tl.program_id(0) * ROWS - plane * (down * ROWS) + tl.arange(0, ROWS)[:, None]
        plane = plane.to(tl.int64)
        there = row < PLANE_ROWS
    else:
        every = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
        there = every < PLANES * PLANE_ROWS
        plane = tl.minimum(every // PLANE_ROWS, PLANES - 1)
        row = every - plane * PLANE_ROWS
        plane = plane.to(tl.int64)
    return plane, row, column, there
