"""steel_gemm_fused, _splitk, _masked, _gather, _segmented: products of matrices in blocks, by simdgroup matrices."""

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from corpora.answers import Answer
from corpora.cases import Case, ints, launch, longs, record
from corpora.mlx.names import NAMES, SIMD

Shape = tuple[int, int, int, int, int]
"""Rows, columns and depth of a block; simdgroups down and across."""

TALL: Shape = (64, 64, 16, 2, 2)
SMALL: Shape = (32, 32, 16, 2, 2)


def cases() -> Iterator[Case]:
    for dtype, shape in ((torch.float32, SMALL), (torch.float16, TALL), (torch.bfloat16, SMALL)):
        yield _fused(dtype, shape, "nn", m=100, n=75, k=50)
    for layout in ("nt", "tn", "tt"):
        yield _fused(torch.float32, SMALL, layout, m=64, n=96, k=48)
    yield _fused(torch.float32, (64, 32, 8, 4, 1), "nn", m=70, n=64, k=31)
    yield _fused(torch.complex64, (64, 32, 8, 4, 1), "nn", m=64, n=40, k=24)
    yield _plus_matrix()
    yield _split()
    yield _masked(torch.float32)
    yield _masked(torch.float16)
    yield _gathered_rows()
    yield _gathered()
    yield _segmented()


def _name(shape: Shape) -> str:
    return "bm{}_bn{}_bk{}_wm{}_wn{}".format(*shape)


def _draw(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.complex64 if dtype.is_complex else torch.float32).to(dtype)


def _exact(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.complex128 if x.is_complex() else torch.float64)


def _parameters(
    shape: Shape, m: int, n: int, k: int, rows: tuple[int, int, int], batch: tuple[int, int, int] = (0, 0, 0)
) -> torch.Tensor:
    """GEMMParams. ``rows``: distances of the rows of A, B and D; ``batch``: of their matrices."""
    tiles = -(-n // shape[1]), -(-m // shape[0])
    return record(struct.pack("8i3q3i4x", m, n, k, *rows, *tiles, *batch, 0, k // shape[2], 1))


def _aligned(shape: Shape, m: int, n: int, k: int) -> dict[str | int, bool]:
    """Function constants: whether each size is a multiple of the block's."""
    return {200: m % shape[0] == 0, 201: n % shape[1] == 0, 202: k % shape[2] == 0}


def _grid(shape: Shape, m: int, n: int, many: int = 1) -> tuple[list[int], list[int]]:
    """Threadgroups and threads in each."""
    return [-(-n // shape[1]), -(-m // shape[0]), many], [SIMD, shape[4], shape[3]]


def _fused(dtype: torch.dtype, shape: Shape, layout: str, m: int, n: int, k: int) -> Case:
    kernel = f"steel_gemm_fused_{layout}_{NAMES[dtype]}_{NAMES[dtype]}_{_name(shape)}"

    def run(library: Any) -> Iterable[Answer]:
        a, b = _draw(dtype, m, k), _draw(dtype, k, n)
        out = torch.zeros(m, n, dtype=dtype)
        left = a.t().contiguous() if layout[0] == "t" else a
        right = b.t().contiguous() if layout[1] == "t" else b
        parameters = _parameters(shape, m, n, k, (left.shape[1], right.shape[1], n))
        launch(getattr(library, kernel), *_grid(shape, m, n), left, right, 0, out, parameters, 0, 0, 0)
        yield Answer(out, _exact(a) @ _exact(b))

    constants = {10: False, 100: False, 110: False} | _aligned(shape, m, n, k)
    return Case("steel_gemm_fused.metal", (kernel,), f"{m}x{n}x{k}", run, constants)


def _plus_matrix() -> Case:
    """alpha A B + beta C over a batch."""
    kernel, many, m, n, k = f"steel_gemm_fused_nn_float32_float32_{_name(SMALL)}", 3, 40, 50, 33

    def run(library: Any) -> Iterable[Answer]:
        a, b, c, out = (torch.randn(many, *size) for size in ((m, k), (k, n), (m, n), (m, n)))
        parameters = _parameters(SMALL, m, n, k, (k, n, n), (m * k, k * n, m * n))
        plus = record(struct.pack("iiqff", n, 1, m * n, 0.5, 2.0))
        launch(getattr(library, kernel), *_grid(SMALL, m, n, many), a, b, c, out, parameters, plus, 0, 0)
        yield Answer(out, 0.5 * (a.double() @ b.double()) + 2 * c.double())

    constants = {10: False, 100: True, 110: True} | _aligned(SMALL, m, n, k)
    return Case("steel_gemm_fused.metal", (kernel,), f"{many} of {m}x{n}x{k}, plus a matrix", run, constants)


def _split() -> Case:
    """Parts of the depth apart, then summed."""
    shape: Shape = (16, 16, 16, 2, 2)
    first = f"steel_gemm_splitk_nn_float32_float32_{_name(shape)}_MN_naligned_K_naligned"
    second, m, n, k, parts = "steel_gemm_splitk_accum_float32_float32", 20, 30, 331, 4

    def run(library: Any) -> Iterable[Answer]:
        a, b, partial, out = torch.randn(m, k), torch.randn(k, n), torch.zeros(parts, m, n), torch.zeros(m, n)
        steps = k // shape[2] // parts
        tiles = -(-n // shape[1]), -(-m // shape[0])
        parameters = record(struct.pack("13i", m, n, k, k, n, n, *tiles, parts, m * n, steps * shape[2], 0, steps))
        launch(getattr(library, first), *_grid(shape, m, n, parts), a, b, partial, parameters)
        getattr(library, second)(partial, out, parts, m * n, n, threads=[n, m], group_size=[n, 1])
        yield Answer(out, a.double() @ b.double())

    return Case("steel_gemm_splitk.metal", (first, second), f"{m}x{n}x{k} in {parts}", run)


def _masked(dtype: torch.dtype) -> Case:
    name, m, n, k = NAMES[dtype], 96, 64, 128
    kernel = f"steel_gemm_block_outmask_bool__opmask_bool__nn_{name}_{name}_{_name(SMALL)}_MN_taligned_K_taligned"

    def run(library: Any) -> Iterable[Answer]:
        a, b, out = _draw(dtype, m, k), _draw(dtype, k, n), torch.zeros(m, n, dtype=dtype)
        blocks = m // 32, n // 32, k // 32
        of_out, of_a, of_b = (
            torch.rand(size) < 0.7 for size in ((blocks[0], blocks[1]), (blocks[0], blocks[2]), (blocks[2], blocks[1]))
        )
        parameters = _parameters(SMALL, m, n, k, (k, n, n))
        strides = ints(1, blocks[1], 1, blocks[2], 1, blocks[1])
        launch(getattr(library, kernel), *_grid(SMALL, m, n), a, b, 0, out, parameters, 0, ints(1),
               longs(0, 0, 0, 0, 0), 0, 0, of_out, of_a, of_b, strides)  # fmt: skip
        yield Answer(out, _spread(of_out) * ((_exact(a) * _spread(of_a)) @ (_exact(b) * _spread(of_b))))

    return Case("steel_gemm_masked.metal", (kernel,), f"{m}x{n}x{k}", run)


def _spread(mask: torch.Tensor) -> torch.Tensor:
    return mask.repeat_interleave(32, 0).repeat_interleave(32, 1)


def _gathered_rows() -> Case:
    """Each row with the matrix of its own expert; neighbours share one."""
    shape: Shape = (16, 64, 16, 1, 2)
    kernel, m, n, k = f"steel_gather_mm_rhs_nn_float32_float32_{_name(shape)}", 40, 70, 48

    def run(library: Any) -> Iterable[Answer]:
        a, b, out = torch.randn(m, k), torch.randn(5, k, n), torch.zeros(m, n)
        which = torch.randint(0, 5, (m,)).sort().values
        parameters = _parameters(shape, m, n, k, (k, n, n), (0, k * n, 0))
        launch(getattr(library, kernel), *_grid(shape, m, n), a, b, which.to(torch.uint32), out, parameters)
        yield Answer(out, torch.einsum("mk,mkn->mn", a.double(), b.double()[which]))

    constants = {10: False} | _aligned(shape, m, n, k)
    return Case("steel_gemm_gather.metal", (kernel,), f"{m}x{n}x{k}, 5 experts", run, constants)


def _gathered() -> Case:
    kernel, many, m, n, k = f"steel_gather_mm_nt_float16_float16_{_name(TALL)}", 4, 70, 64, 40

    def run(library: Any) -> Iterable[Answer]:
        a, b = torch.randn(3, m, k).half(), torch.randn(5, n, k).half()
        out = torch.zeros(many, m, n).half()
        left, right = ints(0, 2, 2, 1), ints(4, 0, 3, 3)
        parameters = _parameters(TALL, m, n, k, (k, k, n), (1, 1, m * n))
        launch(getattr(library, kernel), *_grid(TALL, m, n, many), a, b, left, right, out, parameters, ints(many),
               longs(1), longs(1), 1, ints(3), longs(m * k), 1, ints(5), longs(n * k))  # fmt: skip
        yield Answer(out, a.double()[left.long()] @ b.double()[right.long()].transpose(1, 2))

    constants = {10: False} | _aligned(TALL, m, n, k)
    return Case("steel_gemm_gather.metal", (kernel,), f"{many} of {m}x{n}x{k}", run, constants)


def _segmented() -> Case:
    """One product for each range of the depth."""
    kernel, m, n, k = f"steel_segmented_mm_nn_float32_float32_{_name(SMALL)}", 50, 64, 200
    segments = ((0, 48), (60, 77), (100, 200))

    def run(library: Any) -> Iterable[Answer]:
        a, b, out = torch.randn(m, k), torch.randn(k, n), torch.zeros(len(segments), m, n)
        parameters = _parameters(SMALL, m, n, k, (k, n, n), (0, 0, m * n))
        where = ints(*(bound for segment in segments for bound in segment))
        launch(getattr(library, kernel), *_grid(SMALL, m, n, len(segments)), a, b, where, out, parameters)
        a, b = a.double(), b.double()
        yield Answer(out, torch.stack([a[:, first:last] @ b[first:last] for first, last in segments]))

    constants = {199: True, 200: m % 32 == 0, 201: n % 32 == 0}
    return Case("steel_gemm_segmented.metal", (kernel,), f"{m}x{n}, {len(segments)} ranges of {k}", run, constants)
