"""Which outputs a program computes, for kernels whose every output sees a window of one plane.

A plane is one channel of one image; its rows are those of all its depths. A tile is ROWS × COLUMNS outputs: of one
plane (ALONE), or, where planes are lower than a tile, of the rows of all planes one after the other.

Threads that lie side by side must read columns that do. Triton lays them along the axis along which it knows
addresses to follow each other; where columns are read two apart it knows of none, and takes either one, by its
version. So kernels tell it that they do (``max_contiguous``), and that no address is a multiple of anything
(``multiple_of``): then it reads one element at a time, and those that do not follow each other are read rightly too.
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
        plane = (tl.program_id(0) // down).to(tl.int64)
        row = (tl.program_id(0) % down) * ROWS + tl.arange(0, ROWS)[:, None]
        there = row < PLANE_ROWS
    else:
        every = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
        there = every < PLANES * PLANE_ROWS
        plane = tl.minimum(every // PLANE_ROWS, PLANES - 1).to(tl.int64)
        row = every % PLANE_ROWS
    return plane, row, column, there
