"""dot, gemv, gemv_masked: products with vectors."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from corpora.answers import Answer
from corpora.cases import Case, ints, launch, longs
from corpora.mlx.names import FLOATS, NAMES


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        yield _dot(dtype)
        yield _matrix_vector(dtype)
        yield _vector_matrix(dtype)
    yield _matrix_vector(torch.complex64)
    yield _axpby()
    yield _batched()
    yield _gathered()
    yield _wide()
    yield _masked(torch.float32, transposed=False)
    yield _masked(torch.float16, transposed=True)


def _draw(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.complex64 if dtype.is_complex else torch.float32).to(dtype)


def _exact(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.complex128 if x.is_complex() else torch.float64)


def _dot(dtype: torch.dtype) -> Case:
    kernel, count = f"dot_product_{NAMES[dtype]}_it32_tg512_sg16", 20001

    def run(library: Any) -> Iterable[Answer]:
        a, b = _draw(dtype, count).abs(), _draw(dtype, count).abs()
        partial = torch.zeros(-(-count // (512 * 32)))
        launch(getattr(library, kernel), [len(partial)], [512], a, b, partial, count)
        yield Answer(partial.sum(), (a.double() * b.double()).sum())

    return Case("dot.metal", (kernel,), str(count), run)


def _one_matrix(in_size: int, out_size: int, row: int) -> tuple[Any, ...]:
    """Sizes, the distance of rows, alpha, beta, and a batch of one."""
    return in_size, out_size, row, 1.0, 0.0, 1, ints(1), longs(0), longs(0), longs(0), 1


def _matrix_vector(dtype: torch.dtype) -> Case:
    rows, columns = 130, 515
    shape = "bm1_bn1_sm8_sn4_tm4_tn4" if dtype.is_complex else "bm4_bn1_sm1_sn32_tm4_tn4"
    kernel = f"gemv_{NAMES[dtype]}_{shape}_nc0_axpby0"
    simdgroups, each = (1, 32) if dtype.is_complex else (4, 16)

    def run(library: Any) -> Iterable[Answer]:
        matrix, vector, out = _draw(dtype, rows, columns), _draw(dtype, columns), torch.zeros(rows, dtype=dtype)
        launch(getattr(library, kernel), [-(-rows // each), 1, 1], [32, 1, simdgroups], matrix, vector, 0, out,
               *_one_matrix(columns, rows, columns))  # fmt: skip
        yield Answer(out, _exact(matrix) @ _exact(vector))

    return Case("gemv.metal", (kernel,), f"{rows}x{columns}", run)


def _vector_matrix(dtype: torch.dtype) -> Case:
    rows, columns = 203, 150
    kernel = f"gemv_t_{NAMES[dtype]}_bm1_bn2_sm8_sn4_tm4_tn4_nc0_axpby0"

    def run(library: Any) -> Iterable[Answer]:
        matrix, vector, out = _draw(dtype, rows, columns), _draw(dtype, rows), torch.zeros(columns, dtype=dtype)
        launch(getattr(library, kernel), [-(-columns // 32), 1, 1], [32, 2, 1], matrix, vector, 0, out,
               *_one_matrix(rows, columns, columns))  # fmt: skip
        yield Answer(out, vector.double() @ matrix.double())

    return Case("gemv.metal", (kernel,), f"{rows}x{columns}", run)


def _axpby() -> Case:
    kernel, rows, columns = "gemv_float32_bm4_bn1_sm1_sn32_tm4_tn4_nc0_axpby1", 100, 256

    def run(library: Any) -> Iterable[Answer]:
        matrix, vector, bias, out = (
            torch.randn(rows, columns),
            torch.randn(columns),
            torch.randn(rows),
            torch.zeros(rows),
        )
        launch(getattr(library, kernel), [-(-rows // 16), 1, 1], [32, 1, 4], matrix, vector, bias, out, columns, rows,
               columns, 0.5, -2.0, 1, ints(1), longs(0), longs(0), longs(0), 1)  # fmt: skip
        yield Answer(out, 0.5 * (matrix.double() @ vector.double()) - 2 * bias.double())

    return Case("gemv.metal", (kernel,), f"{rows}x{columns} plus a vector", run)


def _batched() -> Case:
    """Two axes of matrices, whose vectors are shared along one of them."""
    kernel, outer, inner, rows, columns = "gemv_float32_bm4_bn1_sm1_sn32_tm4_tn4_nc1_axpby0", 2, 3, 37, 130

    def run(library: Any) -> Iterable[Answer]:
        matrices, vectors = torch.randn(outer, inner, rows, columns), torch.randn(inner, columns)
        out = torch.zeros(outer, inner, rows)
        launch(getattr(library, kernel), [-(-rows // 16), 1, outer * inner], [32, 1, 4], matrices, vectors, 0, out,
               columns, rows, columns, 1.0, 0.0, 2, ints(outer, inner), longs(0, columns),
               longs(inner * rows * columns, rows * columns), longs(0, 0), 1)  # fmt: skip
        yield Answer(out, torch.einsum("bcij,cj->bci", matrices.double(), vectors.double()))

    return Case("gemv.metal", (kernel,), f"{outer}x{inner} of {rows}x{columns}", run)


def _gathered() -> Case:
    kernel, experts, rows, columns = "gemv_gather_float32_bm4_bn1_sm1_sn32_tm4_tn4", 5, 40, 200

    def run(library: Any) -> Iterable[Answer]:
        matrices, vectors = torch.randn(experts, rows, columns), torch.randn(3, columns)
        which, whose = ints(4, 0, 2, 4), ints(0, 2, 1, 1)
        out = torch.zeros(4, rows)
        launch(getattr(library, kernel), [-(-rows // 16), 1, 4], [32, 1, 4], matrices, vectors, 0, out, columns, rows,
               columns, 1.0, 0.0, 1, ints(4), longs(1, 1), 1, ints(3), longs(columns), 1, ints(experts),
               longs(rows * columns), whose, which)  # fmt: skip
        yield Answer(out, torch.einsum("gij,gj->gi", matrices.double()[which.long()], vectors.double()[whose.long()]))

    return Case("gemv.metal", (kernel,), f"4 of {experts} {rows}x{columns}", run)


def _wide() -> Case:
    """Three vectors at once; the matrix is read once for all of them."""
    kernel, vectors, rows, columns = "gemv_wide_float16_nv3_kl32", 3, 64, 512

    def run(library: Any) -> Iterable[Answer]:
        matrix, x = torch.randn(rows, columns).half(), torch.randn(vectors, columns).half()
        out = torch.zeros(vectors, rows).half()
        launch(getattr(library, kernel), [1, rows // 4, 1], [32, 4, 1], matrix, x, 0, out, columns, rows, vectors,
               columns, columns, 1.0, 0.0, 1, ints(1), longs(0), longs(0), longs(0), 0, 0)  # fmt: skip
        yield Answer(out, x.double() @ matrix.double().t())

    return Case("gemv.metal", (kernel,), f"{vectors} by {rows}x{columns}", run, {0: False, 1: False})


BLOCK = 32
"""Rows and columns that one element of a mask stands for."""


def _blocked(mask: torch.Tensor) -> torch.Tensor:
    return mask.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)


def _masked(dtype: torch.dtype, transposed: bool) -> Case:
    which, shape = ("gemv_t", "bm1_bn2_sm8_sn4_tm4_tn4") if transposed else ("gemv", "bm2_bn1_sm4_sn8_tm4_tn4")
    kernel = f"{which}_outmask_bool__opmask_bool__{NAMES[dtype]}_{shape}_nc0"
    outs, ins = 4 * BLOCK, 3 * BLOCK

    def run(library: Any) -> Iterable[Answer]:
        matrix, vector, out = _draw(dtype, outs, ins), _draw(dtype, ins), torch.zeros(outs, dtype=dtype)
        of_matrix, of_vector, of_out = (torch.rand(n) < 0.7 for n in ((4, 3), (3, 1), (4, 1)))
        stored = matrix.t().contiguous() if transposed else matrix
        # strides of the masks, the inner axis first, of the matrix as it is stored
        strides = ints(1, 1, 3, 1, 1, 1) if transposed else ints(1, 1, 1, 3, 1, 1)
        arguments = [0] * 25
        arguments[:7] = [stored, vector, 0, out, ins, outs, stored.shape[1]]
        arguments[9:13] = [1, ints(1), longs(0), longs(0)]
        arguments[20:25] = [of_out, of_matrix, of_vector, strides, longs(0, 0, 0)]
        launch(
            getattr(library, kernel), [-(-outs // BLOCK), 1, 1], [32, *((2, 1) if transposed else (1, 2))], *arguments
        )
        masked = (matrix.double() * _blocked(of_matrix)) @ (vector.double() * _blocked(of_vector)[:, 0])
        yield Answer(out, masked * _blocked(of_out)[:, 0])

    return Case("gemv_masked.metal", (kernel,), f"{outs}x{ins}", run)
