"""float32 as two float16 parts and one power of two per row or column: three half-precision products for one.

x = unit · (high + low), with unit a power of two that brings the largest element of its row (or column) to 2¹⁴…2¹⁵, so
that nothing overflows. high and low hold 11 bits each; what is left out is at most 2⁻²² of the element, or 2⁻⁴⁰ of the
largest one beside it. Ootomo and Yokota, Recovering single precision accuracy from Tensor Cores while surpassing the
FP32 theoretical peak performance, 2022 (arXiv:2203.03341).
"""

import torch
import triton
import triton.language as tl


@triton.jit
def unit_exponent(largest):
    """Where a float32's exponent must move for the number to lie in 2¹⁴…2¹⁵; 0 for zero."""
    exponent = ((largest.to(tl.int32, bitcast=True) >> 23) & 255) - 127
    return tl.where(largest > 0, tl.minimum(tl.maximum(14 - exponent, -126), 126), 0)


@triton.jit
def power_of_two(exponent):
    return ((exponent + 127) << 23).to(tl.float32, bitcast=True)


@triton.jit
def finite_size(x):
    size = tl.abs(x)
    return tl.where(size < float("inf"), size, 0.0)


@triton.jit
def store_parts(high, low, offsets, x, mask):
    top = x.to(tl.float16)
    rest = tl.where(tl.abs(x) < float("inf"), x - top.to(tl.float32), 0.0)
    tl.store(high + offsets, top, mask=mask)
    tl.store(low + offsets, rest.to(tl.float16), mask=mask)


@triton.jit
def split_rows_kernel(x, high, low, unit, K, DEPTH, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    sizes = tl.zeros([BLOCK], tl.float32)
    for start in range(0, K, BLOCK):
        mask = start + columns < K
        sizes = tl.maximum(sizes, finite_size(tl.load(x + row * K + start + columns, mask=mask, other=0.0)))
    exponent = unit_exponent(tl.max(sizes, 0))
    tl.store(unit + row, power_of_two(-exponent))
    scale = power_of_two(exponent)
    for start in range(0, DEPTH, BLOCK):
        column = start + columns
        value = tl.load(x + row * K + column, mask=column < K, other=0.0) * scale
        store_parts(high, low, row * DEPTH + column, value, column < DEPTH)


@triton.jit
def largest_in_columns_kernel(x, largest, K, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    batch = tl.program_id(2).to(tl.int64)
    mask = (row[:, None] < K) & (column[None, :] < N)
    offsets = batch * K * N + row[:, None].to(tl.int64) * N + column[None, :]
    sizes = tl.max(finite_size(tl.load(x + offsets, mask=mask, other=0.0)), 0)
    # the bits of floats that are not negative are in their order
    tl.atomic_max(largest + batch * N + column, sizes.to(tl.int32, bitcast=True), mask=column < N)


@triton.jit
def split_columns_kernel(
    x, largest, high, low, unit, K, N, DEPTH, WIDTH, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):  # fmt: skip
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    batch = tl.program_id(2).to(tl.int64)
    size = tl.load(largest + batch * N + column, mask=column < N, other=0).to(tl.float32, bitcast=True)
    exponent = unit_exponent(size)
    if tl.program_id(1) == 0:
        tl.store(unit + batch * N + column, power_of_two(-exponent), mask=column < N)
    scale = power_of_two(exponent)[None, :]
    down, across = row[:, None].to(tl.int64), column[None, :]
    value = tl.load(x + (batch * K + down) * N + across, mask=(down < K) & (across < N), other=0.0) * scale
    place = (batch * DEPTH + down) * WIDTH + across
    store_parts(high, low, place, value, (down < DEPTH) & (across < WIDTH))


def split_rows(x, depth=None):
    """Two float16 parts of x and a float32 unit for each row: the rows of the last axis.

    depth: the parts' rows are filled up to it with zeros.
    """
    x = x.contiguous()
    rows, width = x.numel() // x.shape[-1], x.shape[-1]
    depth = depth or width
    high, low = (torch.empty((*x.shape[:-1], depth), dtype=torch.float16, device=x.device) for _ in range(2))
    unit = torch.empty(x.shape[:-1], dtype=torch.float32, device=x.device)
    block = min(4096, triton.next_power_of_2(depth))
    split_rows_kernel[(rows,)](x, high, low, unit, width, depth, BLOCK=block, num_warps=8 if block >= 2048 else 4)
    return high, low, unit


def split_columns(x, depth=None, width=None):
    """Two float16 parts of x and a float32 unit for each column: along the second to last axis.

    depth, width: the parts' last two axes are filled up to them with zeros.
    """
    x = x.contiguous()
    rows, columns = x.shape[-2:]
    depth, width = depth or rows, width or columns
    batch = x.numel() // (rows * columns)
    shape = (*x.shape[:-2], depth, width)
    high, low = (torch.empty(shape, dtype=torch.float16, device=x.device) for _ in range(2))
    largest = torch.zeros(batch * columns, dtype=torch.int32, device=x.device)
    unit = torch.empty((*x.shape[:-2], columns), dtype=torch.float32, device=x.device)
    grid = (triton.cdiv(width, 128), triton.cdiv(depth, 64), batch)
    largest_in_columns_kernel[grid](x, largest, rows, columns, ROWS=64, COLUMNS=128, num_warps=8)
    split_columns_kernel[grid](
        x, largest, high, low, unit, rows, columns, depth, width, ROWS=64, COLUMNS=128, num_warps=8
    )
    return high, low, unit
