"""sort, searchsorted, scan: order, and running results."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from corpora.answers import Answer
from corpora.cases import Case, ints, launch, longs
from corpora.mlx.names import NAMES, SIMD, rounded_up

READS = 4


def cases() -> Iterator[Case]:
    for dtype in (torch.float32, torch.float16, torch.int32, torch.uint8):
        yield _block_sort(dtype)
    for dtype in (torch.float32, torch.int64):
        yield _block_argsort(dtype)
    yield _strided_sort()
    yield _multi_block_sort()
    for dtype in (torch.float32, torch.int32):
        for side in ("left", "right"):
            yield _search(dtype, side)
    for operation in ("sum", "max", "logaddexp"):
        for variant in ("inclusive", "exclusive", "reverse_inclusive", "reverse_exclusive"):
            yield _scan(operation, variant, torch.float32, columns=1000)
    yield _scan("sum", "inclusive", torch.int32, columns=5000)
    yield _scan("prod", "inclusive", torch.float32, columns=300)
    yield _scan("sum", "inclusive", torch.bfloat16, columns=40)
    yield _strided_scan("sum", "inclusive")
    yield _strided_scan("max", "reverse_inclusive")


def _draw(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    if dtype.is_floating_point:
        return torch.randn(shape).to(dtype)
    return torch.randint(0, 200, shape).to(dtype)


def _block_sort(dtype: torch.dtype) -> Case:
    name, rows, columns = NAMES[dtype], 7, 413
    kernel = f"c_block_sort_{name}_{name}_bn128_tn4"

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(dtype, rows, columns), torch.zeros(rows, columns, dtype=dtype)
        launch(getattr(library, kernel), [1, rows], [128, 1], x, out, columns, 1, 1, columns, columns)
        yield Answer(out, x.sort(-1).values)

    return Case("sort.metal", (kernel,), f"{rows}x{columns}", run)


def _block_argsort(dtype: torch.dtype) -> Case:
    kernel, rows, columns = f"carg_block_sort_{NAMES[dtype]}_uint32_bn64_tn4", 5, 201

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(dtype, rows, columns), torch.zeros(rows, columns, dtype=torch.int32)
        launch(getattr(library, kernel), [1, rows], [64, 1], x, out, columns, 1, 1, columns, columns)
        yield Answer(x.gather(-1, out.long()), x.sort(-1).values)
        yield Answer(out.sort(-1).values, torch.arange(columns).expand(rows, -1))

    return Case("sort.metal", (kernel,), f"{rows}x{columns}", run)


def _strided_sort() -> Case:
    kernel, rows, columns = "nc_block_sort_float32_float32_bn64_tn4", 150, 9

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(rows, columns), torch.zeros(rows, columns)
        launch(getattr(library, kernel), [1, columns], [64, 1], x, out, rows, columns, columns, 1, ints(columns),
               longs(1), longs(1))  # fmt: skip
        yield Answer(out, x.sort(0).values)

    return Case("sort.metal", (kernel,), f"{rows}x{columns} down", run)


def _multi_block_sort() -> Case:
    """Blocks of 2048 sorted apart, then merged two by two."""
    kernels = tuple(f"{step}_mbsort_float32_uint32_bn512_tn4" for step in ("sort", "partition", "merge"))
    count, size, blocks = 7000, 512, 4

    def run(library: Any) -> Iterable[Answer]:
        x = torch.randn(count)
        values, places = [torch.zeros(count) for _ in range(2)], [torch.zeros(count).int() for _ in range(2)]
        sort, partition, merge = (getattr(library, kernel) for kernel in kernels)
        launch(sort, [blocks, 1], [size, 1], x, values[0], places[0], count, 1, 1, ints(1), longs(0))
        splits = torch.zeros(1, blocks + 1).int()
        for tiles in (2, 4):
            launch(partition, [1, 1], [blocks + 1, 1], splits, values[0], places[0], count, tiles, blocks)
            launch(merge, [blocks, 1], [size, 1], splits, values[0], places[0], values[1], places[1], count, tiles,
                   blocks)  # fmt: skip
            values.reverse()
            places.reverse()
        yield Answer(values[0], x.sort().values.double())
        yield Answer(x[places[0].long()], x.sort().values.double())

    return Case("sort.metal", kernels, str(count), run)


def _search(dtype: torch.dtype, side: str) -> Case:
    kernel, count, sought = f"searchsorted_{NAMES[dtype]}_{side}", 700, 333

    def run(library: Any) -> Iterable[Answer]:
        among, values = _draw(dtype, count).sort().values, _draw(dtype, sought)
        values[:50] = among[100:150]
        out = torch.zeros(sought, dtype=torch.int32)
        getattr(library, kernel)(among, values, out, count, 1, threads=[sought, 1, 1], group_size=[111, 1, 1])
        yield Answer(out, torch.searchsorted(among, values, side=side))

    return Case("searchsorted.metal", (kernel,), f"{sought} among {count}", run)


SCANS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], float]] = {
    "sum": (lambda x: x.cumsum(-1), 0.0),
    "prod": (lambda x: x.cumprod(-1), 1.0),
    "max": (lambda x: x.cummax(-1).values, -torch.inf),
    "logaddexp": (lambda x: x.logcumsumexp(-1), -torch.inf),
}
"""Running results along the last axis, and what an exclusive one begins with."""


def _running(operation: str, variant: str, x: torch.Tensor) -> torch.Tensor:
    function, first = SCANS[operation]
    if variant.startswith("reverse"):
        return _running(operation, variant.removeprefix("reverse_"), x.flip(-1)).flip(-1)
    found = function(x)
    if variant == "inclusive":
        return found
    return torch.cat([torch.full_like(found[..., :1], first), found[..., :-1]], -1)


def _scan(operation: str, variant: str, dtype: torch.dtype, columns: int) -> Case:
    kernel, rows = f"contig_scan_{variant}_{operation}_{NAMES[dtype]}_{NAMES[dtype]}", 3

    def run(library: Any) -> Iterable[Answer]:
        x = _draw(dtype, rows, columns)
        if operation == "prod":
            x = 1 + x / 30
        out = torch.zeros(rows, columns, dtype=dtype)
        size = rounded_up(-(-min(columns, 1024 * READS) // READS), SIMD)
        launch(getattr(library, kernel), [1, rows, 1], [size, 1, 1], x, out, columns)
        wide = x.double() if dtype.is_floating_point else x
        # a bfloat16 sum is kept in bfloat16: each step of a simdgroup's scan rounds
        yield Answer(out, _running(operation, variant, wide), 3.0 if dtype == torch.bfloat16 else 1.0)

    return Case("scan.metal", (kernel,), f"{rows}x{columns}", run)


def _strided_scan(operation: str, variant: str) -> Case:
    kernel, rows, columns = f"strided_scan_{variant}_{operation}_float32_float32", 150, 45

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(rows, columns), torch.zeros(rows, columns)
        blocks = -(-columns // 32)
        launch(getattr(library, kernel), [1, blocks, 1], [32 // READS * SIMD, 1, 1], x, out, rows, columns, blocks)
        yield Answer(out, _running(operation, variant, x.double().t()).t())

    return Case("scan.metal", (kernel,), f"{rows}x{columns} down", run)
