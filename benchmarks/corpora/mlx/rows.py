"""softmax, logsumexp, layer_norm, rms_norm, rope: one threadgroup for each row, or one thread for each pair."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.nn import functional

from corpora.answers import Answer
from corpora.cases import Case, launch, longs
from corpora.mlx.names import FLOATS, NAMES, SIMD, rounded_up

READS = 4
"""Elements that a thread reads at once, in all of these but layer_norm, which reads 8."""
EPSILON = 1e-5


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        yield _softmax("block_softmax_", dtype, rows=5, columns=600)
        yield _softmax("looped_softmax_", dtype, rows=3, columns=5000)
        yield _logsumexp("block_logsumexp_", dtype, rows=4, columns=777)
        yield _logsumexp("looped_logsumexp_", dtype, rows=2, columns=4500)
    yield _softmax("block_softmax_precise_", torch.float16, rows=4, columns=129)
    for dtype in FLOATS:
        yield _layer_norm("layer_norm", dtype, rows=6, columns=765)
        yield _rms("rms", dtype, rows=6, columns=515)
    yield _layer_norm("layer_norm_looped", torch.float32, rows=2, columns=7000)
    yield _rms("rms_looped", torch.float32, rows=2, columns=5000)
    yield _layer_norm_gradient()
    yield _rms_gradient()
    for dtype in FLOATS:
        yield _rope(dtype, traditional=False)
    yield _rope(torch.float32, traditional=True)
    yield _rope_single()


def _threads(columns: int, looped: bool, reads: int = READS) -> int:
    """Of one threadgroup, as MLX chooses it."""
    return 1024 if looped else rounded_up(-(-columns // reads), SIMD)


def _softmax(prefix: str, dtype: torch.dtype, rows: int, columns: int) -> Case:
    kernel = prefix + NAMES[dtype]
    # without "precise", exponentials and their sum are kept in the narrow type
    factor = 1.0 if "precise" in prefix or dtype == torch.float32 else 2.0

    def run(library: Any) -> Iterable[Answer]:
        x, out = (torch.randn(rows, columns) * 2).to(dtype), torch.zeros(rows, columns, dtype=dtype)
        launch(getattr(library, kernel), [rows], [_threads(columns, "looped" in prefix)], x, out, columns)
        yield Answer(out, torch.softmax(x.double(), -1), factor)

    return Case("softmax.metal", (kernel,), f"{rows}x{columns}", run)


def _logsumexp(prefix: str, dtype: torch.dtype, rows: int, columns: int) -> Case:
    kernel = prefix + NAMES[dtype]

    def run(library: Any) -> Iterable[Answer]:
        x, out = (torch.randn(rows, columns) * 2).to(dtype), torch.zeros(rows, dtype=dtype)
        launch(getattr(library, kernel), [rows], [_threads(columns, "looped" in prefix)], x, out, columns)
        yield Answer(out, torch.logsumexp(x.double(), -1))

    return Case("logsumexp.metal", (kernel,), f"{rows}x{columns}", run)


def _layer_norm(prefix: str, dtype: torch.dtype, rows: int, columns: int) -> Case:
    """``columns``: of the last simdgroup every thread must have some, else this kernel of MLX writes before an array of
    its own (``thread_x[i]`` from a negative ``i`` on), which the checks report and a CPU's stack does not survive."""
    kernel = prefix + NAMES[dtype]

    def run(library: Any) -> Iterable[Answer]:
        x = (torch.randn(rows, columns) * 2 + 1).to(dtype)
        weight, bias, out = (torch.randn(shape).to(dtype) for shape in ((columns,), (columns,), (rows, columns)))
        size = _threads(columns, "looped" in prefix, reads=8)
        launch(getattr(library, kernel), [rows], [size], x, weight, bias, out, EPSILON, columns, 1, 1)
        yield Answer(out, functional.layer_norm(x.double(), (columns,), weight.double(), bias.double(), EPSILON), 2.0)

    return Case("layer_norm.metal", (kernel,), f"{rows}x{columns}", run)


def _rms(prefix: str, dtype: torch.dtype, rows: int, columns: int) -> Case:
    kernel = prefix + NAMES[dtype]

    def run(library: Any) -> Iterable[Answer]:
        x, weight = (torch.randn(rows, columns) * 2).to(dtype), torch.randn(columns).to(dtype)
        out = torch.zeros_like(x)
        launch(getattr(library, kernel), [rows], [_threads(columns, "looped" in prefix)], x, weight, out, EPSILON,
               columns, 1)  # fmt: skip
        # the normalised value is rounded to the narrow type before it is multiplied
        yield Answer(out, functional.rms_norm(x.double(), (columns,), weight.double(), EPSILON), 2.0)

    return Case("rms_norm.metal", (kernel,), f"{rows}x{columns}", run)


def _layer_norm_gradient() -> Case:
    rows, columns = 4, 510

    def run(library: Any) -> Iterable[Answer]:
        x, gradient, weight = torch.randn(rows, columns), torch.randn(rows, columns), torch.randn(columns)
        to_x, to_weight = torch.zeros_like(x), torch.zeros_like(x)
        launch(library.vjp_layer_normfloat32, [rows], [_threads(columns, looped=False, reads=8)], x, weight, gradient,
               to_x, to_weight, EPSILON, columns, 1)  # fmt: skip
        x64, w64 = x.double().requires_grad_(), weight.double().requires_grad_()
        functional.layer_norm(x64, (columns,), w64, None, EPSILON).backward(gradient.double())
        yield Answer(to_x, x64.grad)
        yield Answer(to_weight.sum(0), w64.grad)

    return Case("layer_norm.metal", ("vjp_layer_normfloat32",), f"{rows}x{columns}", run, {20: True})


def _rms_gradient() -> Case:
    rows, columns = 4, 300

    def run(library: Any) -> Iterable[Answer]:
        x, gradient, weight = torch.randn(rows, columns), torch.randn(rows, columns), torch.randn(columns)
        to_x, to_weight = torch.zeros_like(x), torch.zeros_like(x)
        launch(library.vjp_rmsfloat32, [rows], [_threads(columns, looped=False)], x, weight, gradient, to_x, to_weight,
               EPSILON, columns, 1, rows, 1)  # fmt: skip
        x64, w64 = x.double().requires_grad_(), weight.double().requires_grad_()
        functional.rms_norm(x64, (columns,), w64, EPSILON).backward(gradient.double())
        yield Answer(to_x, x64.grad)
        yield Answer(to_weight.sum(0), w64.grad)

    return Case("rms_norm.metal", ("vjp_rmsfloat32",), f"{rows}x{columns}", run, {20: True})


BASE = 10000.0


def _rotated(x: torch.Tensor, positions: torch.Tensor, traditional: bool) -> torch.Tensor:
    """Rotary embedding of (heads, time, size) in float64; pairs are neighbours, or halves of a row."""
    half = x.shape[-1] // 2
    frequency = BASE ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = positions.double()[:, None] * frequency
    cos, sin = angle.cos(), angle.sin()
    x = x.double()
    first, second = (x[..., ::2], x[..., 1::2]) if traditional else (x[..., :half], x[..., half:])
    rotated = first * cos - second * sin, first * sin + second * cos
    return torch.stack(rotated, -1).flatten(-2) if traditional else torch.cat(rotated, -1)


def _rope(dtype: torch.dtype, traditional: bool) -> Case:
    heads, time, size, offset = 8, 17, 64, 3

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(heads, time, size).to(dtype), torch.zeros(heads, time, size, dtype=dtype)
        strides = longs(time * size, size, 1)
        getattr(library, f"rope_{NAMES[dtype]}")(
            x, out, torch.tensor([offset], dtype=torch.int32), 1.0, strides, strides, 0, heads, 0, 0, math.log2(BASE),
            threads=[size // 2, time, heads // 4], group_size=[size // 2, 1, 1],
        )  # fmt: skip
        yield Answer(out, _rotated(x, torch.arange(time) + offset, traditional))

    constants = {1: True, 2: traditional, 3: False}
    return Case("rope.metal", (f"rope_{NAMES[dtype]}",), f"{heads}x{time}x{size}", run, constants)


def _rope_single() -> Case:
    heads, size, offset = 6, 64, 40

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(heads, 1, size), torch.zeros(heads, 1, size)
        library.rope_single_float32(
            x, out, offset, 1.0, longs(size), 0, 0, 0, 0, 0, math.log2(BASE),
            threads=[size // 2, heads], group_size=[size // 2, 1],
        )  # fmt: skip
        yield Answer(out, _rotated(x, torch.tensor([offset]), traditional=False))

    return Case("rope.metal", ("rope_single_float32",), f"{heads}x1x{size}", run, {1: True, 2: False, 3: False})
