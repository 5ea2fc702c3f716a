"""unary, binary, binary_two, ternary, arange: each element on its own."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from corpora.answers import Answer
from corpora.cases import Case, longs
from corpora.mlx.names import FLOATS, NAMES

Draw = Callable[[int], torch.Tensor]
Function = Callable[..., torch.Tensor]

COUNT = 1003
"""No multiple of anything: the last threads have less to do."""


def _spread(n: int) -> torch.Tensor:
    return torch.randn(n) * 3


def _positive(n: int) -> torch.Tensor:
    return torch.rand(n) * 8 + 0.05


def _inside(n: int) -> torch.Tensor:
    return torch.rand(n) * 1.96 - 0.98


UNARY: dict[str, tuple[Draw, Function]] = {
    "Abs": (_spread, torch.abs), "ArcCos": (_inside, torch.acos), "ArcCosh": (lambda n: _positive(n) + 1, torch.acosh),
    "ArcSin": (_inside, torch.asin), "ArcSinh": (_spread, torch.asinh), "ArcTan": (_spread, torch.atan),
    "ArcTanh": (_inside, torch.atanh), "Ceil": (_spread, torch.ceil), "Cos": (_spread, torch.cos),
    "Cosh": (_spread, torch.cosh), "Exp": (_spread, torch.exp), "Expm1": (_inside, torch.expm1),
    "Floor": (_spread, torch.floor), "Log": (_positive, torch.log), "Log2": (_positive, torch.log2),
    "Log10": (_positive, torch.log10), "Log1p": (_positive, torch.log1p), "Negative": (_spread, torch.neg),
    "Sigmoid": (_spread, torch.sigmoid), "Erf": (_spread, torch.erf), "ErfInv": (_inside, torch.erfinv),
    "Sign": (_spread, torch.sign), "Sin": (_spread, torch.sin), "Sinh": (_spread, torch.sinh),
    "Square": (_spread, torch.square), "Sqrt": (_positive, torch.sqrt), "Rsqrt": (_positive, torch.rsqrt),
    "Tan": (_inside, torch.tan), "Tanh": (_spread, torch.tanh), "Round": (_spread, torch.round),
}  # fmt: skip

COMPLEX: dict[str, Function] = {
    "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt, "Sin": torch.sin, "Conjugate": torch.conj_physical,
}  # fmt: skip

NARROW = ("Exp", "Tanh", "Erf", "Rsqrt", "Sigmoid", "Abs")
"""Also tried in float16 and bfloat16."""

STEPS_IN_NARROW = {"Sigmoid": 2.0}
"""Formulas that are evaluated in the narrow type, each of whose steps rounds."""

BINARY: dict[str, Function] = {
    "Add": torch.add, "Subtract": torch.sub, "Multiply": torch.mul, "Divide": torch.div, "Maximum": torch.maximum,
    "Minimum": torch.minimum, "LogAddExp": torch.logaddexp, "ArcTan2": torch.atan2, "Remainder": torch.remainder,
    "Less": torch.lt, "GreaterEqual": torch.ge,
}  # fmt: skip

BINARY_INTEGERS: dict[str, Function] = {
    "Remainder": torch.remainder, "BitwiseXor": torch.bitwise_xor, "Maximum": torch.maximum, "Multiply": torch.mul,
}  # fmt: skip


def cases() -> Iterator[Case]:
    yield from _unary()
    yield from _binary()
    yield from _binary_two()
    yield from _ternary()
    yield from _arange()


def _unary() -> Iterator[Case]:
    for name, (draw, function) in UNARY.items():
        for dtype in FLOATS if name in NARROW else FLOATS[:1]:
            yield _unary_case(name, dtype, draw, function)
    for name, function in COMPLEX.items():
        yield _unary_case(name, torch.complex64, lambda n: torch.randn(n, dtype=torch.complex64), function)
    yield from _expm1()
    yield _unary_case("BitwiseInvert", torch.int32, lambda n: torch.arange(n, dtype=torch.int32), torch.bitwise_not)

    def strided(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(7, 5, 9), torch.zeros(9, 5, 7)
        turned = x.permute(2, 1, 0)
        shape, strides = torch.tensor(turned.shape, dtype=torch.int32), longs(*turned.stride())
        library.gn1_Squarefloat32float32(x, out, shape, strides, 3, threads=[7, 5, 9], group_size=[7, 5, 1])
        yield Answer(out, turned.double().square())

    yield Case("unary.metal", ("gn1_Squarefloat32float32",), "7x5x9 transposed", strided)


def _unary_case(name: str, dtype: torch.dtype, draw: Draw, function: Function) -> Case:
    kernel = f"v_{name}{NAMES[dtype]}{NAMES[dtype]}"

    def run(library: Any) -> Iterable[Answer]:
        x, out = draw(COUNT).to(dtype), torch.zeros(COUNT, dtype=dtype)
        getattr(library, kernel)(x, out, COUNT, threads=COUNT, group_size=256)
        factor = STEPS_IN_NARROW.get(name, 1.0) if dtype in (torch.float16, torch.bfloat16) else 1.0
        yield Answer(out, function(_wide(x)), factor)

    return Case("unary.metal", (kernel,), str(COUNT), run)


EXPM1_LN2 = 0.693145752
"""What MLX's ``expm1f`` reduces its argument by, in one step; ln 2 is 0.693147181."""


def _expm1() -> Iterator[Case]:
    """Far from 0 the formula loses 1.43e-6 for each power of two: against torch, and against itself in float64."""
    kernel = "v_Expm1float32float32"

    def run(library: Any, want: Function) -> Iterable[Answer]:
        x, out = torch.linspace(-60, 60, COUNT), torch.zeros(COUNT)
        getattr(library, kernel)(x, out, COUNT, threads=COUNT, group_size=256)
        yield Answer(out, want(x.double()))

    def as_written(x: torch.Tensor) -> torch.Tensor:
        power = torch.round(x / math.log(2))
        return torch.expm1(x - power * EXPM1_LN2) * 2**power + (2**power - 1)

    reason = f"expm1f reduces its argument by {EXPM1_LN2} where ln 2 is {math.log(2):.9f}"
    yield Case("unary.metal", (kernel,), f"{COUNT} up to 60", lambda it: run(it, torch.expm1), inaccurate=reason)
    yield Case("unary.metal", (kernel,), f"{COUNT} up to 60, its own formula", lambda it: run(it, as_written))


def _wide(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.complex128) if x.is_complex() else x.double() if x.is_floating_point() else x


def _binary() -> Iterator[Case]:
    for name, function in BINARY.items():
        for dtype in FLOATS if name in ("Add", "Multiply") else FLOATS[:1]:
            yield _binary_case(name, dtype, function)
    for name, function in BINARY_INTEGERS.items():
        yield _binary_case(name, torch.int32, function)
    yield _binary_case("Multiply", torch.complex64, torch.mul)
    yield _power()
    yield from _broadcasts()


def _operand(dtype: torch.dtype) -> torch.Tensor:
    if dtype.is_floating_point or dtype.is_complex:
        return (torch.randn(COUNT, dtype=torch.complex64 if dtype.is_complex else torch.float32) * 3).to(dtype)
    return torch.randint(-50, 50, (COUNT,), dtype=dtype) | 1  # odd: nothing is divided by zero


def _binary_case(name: str, dtype: torch.dtype, function: Function) -> Case:
    kernel = f"vv_{name}{NAMES[dtype]}"

    def run(library: Any) -> Iterable[Answer]:
        a, b = _operand(dtype), _operand(dtype)
        want = function(_wide(a), _wide(b))
        out = torch.zeros(COUNT, dtype=torch.bool if want.dtype == torch.bool else dtype)
        getattr(library, kernel)(a, b, out, COUNT, threads=COUNT, group_size=128)
        yield Answer(out, want)

    return Case("binary.metal", (kernel,), str(COUNT), run)


def _power() -> Case:
    def run(library: Any) -> Iterable[Answer]:
        a, b, out = _positive(COUNT), torch.randn(COUNT), torch.zeros(COUNT)
        library.vv_Powerfloat32(a, b, out, COUNT, threads=COUNT, group_size=128)
        yield Answer(out, a.double() ** b.double())

    return Case("binary.metal", ("vv_Powerfloat32",), str(COUNT), run)


def _broadcasts() -> Iterator[Case]:
    """One operand is a single number, or has strides of its own; several elements for each thread."""

    def scalar(library: Any) -> Iterable[Answer]:
        a, b, out = torch.randn(COUNT), torch.randn(1), torch.zeros(COUNT)
        library.vs_Subtractfloat32(a, b, out, COUNT, threads=COUNT, group_size=64)
        yield Answer(out, a.double() - b.double())

    def vectors(library: Any) -> Iterable[Answer]:
        a, b, out = (torch.randn(COUNT).half() for _ in range(3))
        library.vvn_Addfloat16(a, b, out, COUNT, threads=-(-COUNT // 4), group_size=64)
        yield Answer(out, a.double() + b.double())

    def strided(library: Any) -> Iterable[Answer]:
        a, b, out = torch.randn(6, 35), torch.randn(35, 6).t(), torch.zeros(6, 35)
        strides = (longs(*a.stride()), longs(*b.stride()))
        library.g2_Multiplyfloat32(a, b, out, *strides, threads=[35, 6], group_size=[32, 2])
        yield Answer(out, a.double() * b.double())

    yield Case("binary.metal", ("vs_Subtractfloat32",), f"{COUNT} and a scalar", scalar)
    yield Case("binary.metal", ("vvn_Addfloat16",), f"{COUNT}, 4 for each thread", vectors)
    yield Case("binary.metal", ("g2_Multiplyfloat32",), "6x35 and a transposed one", strided)


def _binary_two() -> Iterator[Case]:
    for dtype in (*FLOATS, torch.int32):
        yield _divmod(dtype)


def _divmod(dtype: torch.dtype) -> Case:
    kernel = f"vv_DivMod{NAMES[dtype]}"

    def run(library: Any) -> Iterable[Answer]:
        # whole operands: a quotient just below a whole number would round to it in a narrow type
        a, b = torch.randint(1, 200, (COUNT,)).to(dtype), torch.randint(1, 20, (COUNT,)).to(dtype)
        quotient, rest = torch.zeros(COUNT, dtype=dtype), torch.zeros(COUNT, dtype=dtype)
        getattr(library, kernel)(a, b, quotient, rest, COUNT, threads=COUNT, group_size=64)
        yield Answer(quotient, torch.div(_wide(a), _wide(b), rounding_mode="trunc"))
        yield Answer(rest, torch.fmod(_wide(a), _wide(b)))

    return Case("binary_two.metal", (kernel,), str(COUNT), run)


def _ternary() -> Iterator[Case]:
    for dtype in (*FLOATS, torch.int64, torch.complex64):
        yield _select(dtype)

    def scalar(library: Any) -> Iterable[Answer]:
        chosen, a, b, out = torch.rand(COUNT) < 0.3, torch.randn(COUNT), torch.randn(1), torch.zeros(COUNT)
        library.vs_Selectfloat32(chosen, a, b, out, COUNT, threads=COUNT, group_size=64)
        yield Answer(out, torch.where(chosen, a, b).double())

    yield Case("ternary.metal", ("vs_Selectfloat32",), f"{COUNT} and a scalar", scalar)


def _select(dtype: torch.dtype) -> Case:
    kernel = f"v_Select{NAMES[dtype]}"

    def run(library: Any) -> Iterable[Answer]:
        chosen, a, b, out = torch.rand(COUNT) < 0.3, _operand(dtype), _operand(dtype), torch.zeros(COUNT, dtype=dtype)
        getattr(library, kernel)(chosen, a, b, out, COUNT, threads=COUNT, group_size=64)
        yield Answer(out, torch.where(chosen, a, b))

    return Case("ternary.metal", (kernel,), str(COUNT), run)


def _arange() -> Iterator[Case]:
    for dtype, start, step in ((torch.int32, -5, 3), (torch.float32, 0.5, 0.25), (torch.float16, 1, 0.5)):
        yield _arange_case(dtype, start, step)


def _arange_case(dtype: torch.dtype, start: float, step: float) -> Case:
    kernel = f"arange{NAMES[dtype]}"

    def run(library: Any) -> Iterable[Answer]:
        first, by = torch.tensor([start], dtype=dtype), torch.tensor([step], dtype=dtype)
        out = torch.zeros(500, dtype=dtype)
        getattr(library, kernel)(first, by, out, threads=500, group_size=100)
        yield Answer(out, start + step * torch.arange(500, dtype=torch.float64 if dtype.is_floating_point else dtype))

    return Case("arange.metal", (kernel,), "500", run)
