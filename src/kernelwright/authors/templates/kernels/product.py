"""A matrix product of split operands (kernels/split.py) with its epilogue, on tensor cores at float32's accuracy."""

import triton
import triton.language as tl


@triton.jit
def product_kernel(
    a_high, a_low, a_unit, b_high, b_low, b_unit, out, M, N, K,
    a_batch, a_row, a_inner, b_batch, b_inner, b_column, unit_a_batch, unit_b_batch,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    # blocks that share rows or columns run side by side, so that these stay in the L2 cache
    program, batch = tl.program_id(0), tl.program_id(1).to(tl.int64)
    down, across = tl.cdiv(M, BM), tl.cdiv(N, BN)
    first = program // (GROUP * across) * GROUP
    height = tl.minimum(down - first, GROUP)
    within = program % (GROUP * across)
    row = (first + within % height) * BM + tl.arange(0, BM)
    column = (within // height) * BN + tl.arange(0, BN)
    inner = tl.arange(0, BK)
    # What lies by columns is filled up to a width that wide loads divide. Wrapped around there, addresses still follow
    # each other for Triton; around an odd N they would not, and threads would lie along the summed axis.
    a = (row % (a_inner if a_row == 1 else M))[:, None] * a_row + inner[None, :] * a_inner
    b = (column % (b_inner if b_column == 1 else N))[None, :] * b_column + inner[:, None] * b_inner
    a_high, a_low = a_high + batch * a_batch, a_low + batch * a_batch
    b_high, b_low = b_high + batch * b_batch, b_low + batch * b_batch
    x = tl.zeros([BM, BN], tl.float32)
    for start in range(0, K, BK):
        if EVEN:
            ah = tl.load(a_high + a)
            al = tl.load(a_low + a)
            bh = tl.load(b_high + b)
            bl = tl.load(b_low + b)
        else:
            left = inner < K - start
            ah = tl.load(a_high + a, mask=left[None, :], other=0.0)
            al = tl.load(a_low + a, mask=left[None, :], other=0.0)
            bh = tl.load(b_high + b, mask=left[:, None], other=0.0)
            bl = tl.load(b_low + b, mask=left[:, None], other=0.0)
        # tensor cores round sums towards zero: over a long K that adds up, so each step's are added in float32
        step = tl.dot(al, bh)
        step = tl.dot(ah, bl, step)
        x += tl.dot(ah, bh, step)
        a += BK * a_inner
        b += BK * b_inner
    inside = (row[:, None] < M) & (column[None, :] < N)
    x *= tl.load(a_unit + batch * unit_a_batch + row, mask=row < M, other=0.0)[:, None]
    x *= tl.load(b_unit + batch * unit_b_batch + column, mask=column < N, other=0.0)[None, :]
    place = batch * M * N + row[:, None].to(tl.int64) * N + column[None, :]
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
