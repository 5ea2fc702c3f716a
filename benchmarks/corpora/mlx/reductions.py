"""reduce and arg_reduce: over everything, over rows, over columns."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from corpora.answers import Answer
from corpora.cases import Case, ints, launch, longs
from corpora.mlx.names import NAMES, SIMD, rounded_up

Function = Callable[..., torch.Tensor]

OPERATIONS: dict[str, Function] = {
    "sum": torch.sum, "prod": torch.prod, "max": torch.amax, "min": torch.amin, "and": torch.all, "or": torch.any,
}  # fmt: skip

READS = 4
FILE = "reduce.metal"


def cases() -> Iterator[Case]:
    for operation in ("sum", "prod", "max", "min"):
        yield _all(operation, torch.float32)
    yield _all("sum", torch.int32)
    yield _all("max", torch.bfloat16)
    yield _all("and", torch.bool)
    yield _all_in_two_passes()
    for operation, dtype in (("sum", torch.float32), ("max", torch.float16), ("min", torch.int32)):
        yield _rows_simple(operation, dtype)
        yield _rows_small(operation, dtype)
        yield _rows_looped(operation, dtype)
        yield _columns_small(operation, dtype)
        yield _columns_looped(operation, dtype)
    yield _rows_of_blocks()
    yield _long_columns()
    for dtype in (torch.float32, torch.float16, torch.int32):
        for which in ("argmin", "argmax"):
            yield _arg_reduce(which, dtype)


def _draw(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    if dtype == torch.bool:
        return torch.rand(shape) < 0.999
    return torch.randn(shape).to(dtype) if dtype.is_floating_point else torch.randint(-900, 900, shape, dtype=dtype)


def _expected(operation: str, x: torch.Tensor, *axis: int) -> torch.Tensor:
    wide = x.double() if x.is_floating_point() else x
    return OPERATIONS[operation](wide, *([axis] if axis else []))


def _all(operation: str, dtype: torch.dtype) -> Case:
    kernel, count = f"all_reduce_{operation}{NAMES[dtype]}", 3001

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(dtype, count), torch.zeros(1, dtype=dtype)
        if operation == "prod":
            x = 1 + x / 30
        launch(getattr(library, kernel), [1], [rounded_up(-(-count // READS), SIMD)], x, out, count, count)
        yield Answer(out, _expected(operation, x))

    return Case(FILE, (kernel,), str(count), run)


def _all_in_two_passes() -> Case:
    kernel, count, parts = "all_reduce_sumfloat32", 20011, 128

    def run(library: Any) -> Iterable[Answer]:
        x, partial, out = torch.rand(count), torch.zeros(parts), torch.zeros(1)
        each = -(-count // parts)
        size = rounded_up(-(-each // READS), SIMD)
        sum_ = getattr(library, kernel)
        sum_(x, partial, count, each, threads=[size, parts], group_size=[size, 1])
        sum_(partial, out, parts, parts, threads=[32, 1], group_size=[32, 1])
        yield Answer(out, x.double().sum())

    return Case(FILE, (kernel,), f"{count} in two passes", run)


def _rows_simple(operation: str, dtype: torch.dtype) -> Case:
    kernel, rows, columns = f"row_reduce_simple_{operation}{NAMES[dtype]}", 38, 700

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(dtype, rows, columns), torch.zeros(rows, dtype=dtype)
        threads = [128, -(-rows // READS)]
        getattr(library, kernel)(x, out, columns, rows, threads=threads, group_size=[128, 1])
        yield Answer(out, _expected(operation, x, 1))

    return Case(FILE, (kernel,), f"{rows}x{columns}", run)


def _rows_small(operation: str, dtype: torch.dtype) -> Case:
    kernel, rows, columns = f"row_reduce_small_1_reduce_{operation}{NAMES[dtype]}", 300, 7

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(dtype, rows, columns), torch.zeros(rows, dtype=dtype)
        arguments = (columns, 1, ints(rows), longs(columns), 1, ints(), longs(), 0)
        getattr(library, kernel)(x, out, *arguments, threads=[rows, 1], group_size=[rows, 1])
        yield Answer(out, _expected(operation, x, 1))

    return Case(FILE, (kernel,), f"{rows}x{columns}", run)


def _rows_looped(operation: str, dtype: torch.dtype) -> Case:
    kernel, rows, columns = f"row_reduce_looped_1_reduce_{operation}{NAMES[dtype]}", 9, 900

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(dtype, rows, columns), torch.zeros(rows, dtype=dtype)
        arguments = (columns, 1, ints(rows), longs(columns), 1, ints(), longs(), 0)
        launch(getattr(library, kernel), [1, rows], [128, 1], x, out, *arguments)
        yield Answer(out, _expected(operation, x, 1))

    return Case(FILE, (kernel,), f"{rows}x{columns}", run)


def _rows_of_blocks() -> Case:
    """Rows and an outer axis at once: (5, 11, 200) to 11."""
    kernel, outer, rows, columns = "row_reduce_looped_1_reduce_sumfloat32", 5, 11, 200

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(outer, rows, columns), torch.zeros(rows)
        arguments = (columns, outer, ints(rows), longs(columns), 1, ints(outer), longs(rows * columns), 1)
        launch(getattr(library, kernel), [1, rows], [32, 1], x, out, *arguments)
        yield Answer(out, x.double().sum((0, 2)))

    return Case(FILE, (kernel,), f"{outer}x{rows}x{columns} to {rows}", run)


def _down(rows: int, columns: int) -> tuple[Any, ...]:
    """What column reductions are told where the first of two axes goes."""
    return rows, columns, ints(), longs(), 0, ints(rows), longs(columns), 1, 1


def _columns_small(operation: str, dtype: torch.dtype) -> Case:
    kernel, rows, columns = f"col_reduce_small_1_reduce_{operation}{NAMES[dtype]}", 17, 50

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(dtype, rows, columns), torch.zeros(columns, dtype=dtype)
        launch(getattr(library, kernel), [1, 1], [-(-columns // READS), 8], x, out, *_down(rows, columns))
        yield Answer(out, _expected(operation, x, 0))

    return Case(FILE, (kernel,), f"{rows}x{columns}", run)


def _columns_looped(operation: str, dtype: torch.dtype) -> Case:
    kernel, rows, columns = f"col_reduce_looped_1_32_32_reduce_{operation}{NAMES[dtype]}", 200, 70

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(dtype, rows, columns), torch.zeros(columns, dtype=dtype)
        launch(getattr(library, kernel), [-(-columns // 32), 1], [256, 1], x, out, *_down(rows, columns))
        yield Answer(out, _expected(operation, x, 0))

    return Case(FILE, (kernel,), f"{rows}x{columns}", run)


def _long_columns() -> Case:
    first, second = "col_reduce_longcolumn_1_reduce_sumfloat32", "col_reduce_looped_1_32_32_reduce_sumfloat32"
    rows, columns, parts = 2001, 8, 32

    def run(library: Any) -> Iterable[Answer]:
        x, partial, out = torch.rand(rows, columns), torch.zeros(parts, columns), torch.zeros(columns)
        launch(getattr(library, first), [1, 1, parts], [columns, 32, 1], x, partial, *_down(rows, columns), columns)
        launch(getattr(library, second), [1, 1], [256, 1], partial, out, *_down(parts, columns))
        yield Answer(out, x.double().sum(0))

    return Case(FILE, (first, second), f"{rows}x{columns}", run)


def _arg_reduce(which: str, dtype: torch.dtype) -> Case:
    kernel, rows, columns = f"{which}_{NAMES[dtype]}", 6, 519

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(dtype, rows, columns), torch.zeros(rows, dtype=torch.int32)
        size = rounded_up(-(-columns // READS), SIMD)
        launch(getattr(library, kernel), [1, rows], [size, 1], x, out, ints(rows), longs(columns), longs(1), 1, 1,
               columns)  # fmt: skip
        # of equal ones MLX takes the first, as NumPy does
        numbers = x.float().numpy()
        yield Answer(out, numbers.argmin(-1) if which == "argmin" else numbers.argmax(-1))

    return Case("arg_reduce.metal", (kernel,), f"{rows}x{columns}", run)
