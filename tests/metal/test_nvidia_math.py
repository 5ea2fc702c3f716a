"""The functions that NVIDIA GPUs get in place of a libm, compiled for the CPU: how far off they are."""

import ctypes
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kernelwright.metal.build import Builder
from kernelwright.metal.preprocess import HEADERS
from kernelwright.metal.toolchain import Toolchain

pytestmark = pytest.mark.slow

Exact = Callable[..., np.ndarray]
ONE: dict[str, tuple[Exact, float]] = {
    "acos": (np.arccos, 0.51), "acosh": (np.arccosh, 0.51), "asin": (np.arcsin, 0.51), "asinh": (np.arcsinh, 0.51),
    "atan": (np.arctan, 0.51), "atanh": (np.arctanh, 0.51), "cos": (np.cos, 0.51), "cosh": (np.cosh, 0.51),
    "exp": (np.exp, 1), "exp10": (lambda x: np.power(10.0, x), 0.51), "exp2": (np.exp2, 1), "log": (np.log, 1),
    "log10": (np.log10, 0.51), "log2": (np.log2, 0.51), "sin": (np.sin, 0.51), "sinh": (np.sinh, 0.51),
    "tan": (np.tan, 0.51), "tanh": (np.tanh, 2.5), "rint": (np.rint, 0), "sqrt": (np.sqrt, 0.51),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 1.5),
}  # fmt: skip
"""The function in float64, and the largest error in units of the last place."""
TWO: dict[str, tuple[Exact, float]] = {"atan2": (np.arctan2, 0.51), "fmod": (np.fmod, 0), "pow": (np.power, 0.51)}
CORNERS = np.array([0, 1, 2, 3, 0.5, 0.25, 100, 1e3, 1e-45, 1e-38, 3e38, np.inf], np.float32)


@pytest.fixture(scope="module")
def own(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    lines = ['#include "kw_prelude.h"', "#define EACH for (int i = 0; i < n; ++i)"]
    for name in (*ONE, "sinpi", "cospi", "tanpi", "round"):
        lines.append(
            f'extern "C" void own_{name}(float* o, float* x, int n) {{ EACH o[i] = kw::scalar::{name}(x[i]); }}'
        )
    for name in (*TWO, "nextafter"):
        lines.append(
            f'extern "C" void own_{name}(float* o, float* x, float* y, int n) '
            f"{{ EACH o[i] = kw::scalar::{name}(x[i], y[i]); }}"
        )
    lines += [
        'extern "C" void own_frexp(float* o, int* e, float* x, int n) { EACH o[i] = kw::scalar::frexp(x[i], e[i]); }',
        'extern "C" void own_ldexp(float* o, float* x, int* e, int n) { EACH o[i] = kw::scalar::ldexp(x[i], e[i]); }',
        'extern "C" void own_ilogb(int* o, float* x, int n) { EACH o[i] = kw::scalar::ilogb(x[i]); }',
    ]
    folder = tmp_path_factory.mktemp("own_math")
    code, library = folder / "own.o", folder / "own.so"
    flags = (*Builder(toolchain).flags, "-DKW_OWN_MATH=1", "-fvisibility=default", "-I", str(HEADERS))
    subprocess.run(
        [*toolchain.clang, *flags, "-c", "-", "-o", str(code)], input="\n".join(lines), text=True, check=True
    )
    # no libm is linked: a function that were still taken from one would be missing here
    subprocess.run([*toolchain.linker, "-shared", "--no-undefined", "-o", str(library), str(code)], check=True)
    return ctypes.CDLL(str(library))


@pytest.fixture(scope="module")
def numbers() -> np.ndarray:
    """Floats of every size, near 0 and 1 more of them, and corners."""
    rng = np.random.default_rng(0)
    anything = rng.integers(0, 1 << 32, 200_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    parts = (rng.normal(0, 3, 50_000), rng.uniform(-1, 1, 50_000), rng.uniform(0.9, 1.1, 20_000), CORNERS, -CORNERS)
    return np.concatenate((anything, *(part.astype(np.float32) for part in parts)))


def called(function: Any, out: np.ndarray, *inputs: np.ndarray) -> np.ndarray:
    function(*(a.ctypes.data_as(ctypes.c_void_p) for a in (out, *inputs)), ctypes.c_int(len(out)))
    return out


def assert_close(found: np.ndarray, exact: np.ndarray, most: float) -> None:
    """Infinities, NaNs and signs are right; the rest is at most so many units in the last place away."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(np.float32)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(rounded))
        finite = np.isfinite(found) & np.isfinite(rounded)
        numbers = ~np.isnan(found)
        np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(rounded[numbers]))
        unit = np.spacing(np.abs(rounded[finite])).astype(np.float64)
        assert np.max(np.abs(found[finite] - exact[finite]) / unit) <= most
        # an infinity in place of a number, or the other way round, may only be a matter of rounding
        others = numbers & ~finite
        np.testing.assert_array_equal(found[others], rounded[others])


@pytest.mark.parametrize("name", ONE)
def test_one_number(own: ctypes.CDLL, numbers: np.ndarray, name: str):
    function, most = ONE[name]
    with np.errstate(all="ignore"):
        exact = function(numbers.astype(np.float64))
    assert_close(called(own[f"own_{name}"], np.empty_like(numbers), numbers), exact, most)


@pytest.mark.parametrize("name", TWO)
def test_two_numbers(own: ctypes.CDLL, numbers: np.ndarray, name: str):
    function, most = TWO[name]
    corners = np.concatenate((CORNERS, -CORNERS, [np.float32(np.nan)]))
    rng = np.random.default_rng(1)
    x = np.concatenate((numbers, np.repeat(corners, len(corners)), rng.normal(1, 1, 50_000).astype(np.float32)))
    whole = rng.integers(-20, 20, 50_000).astype(np.float32)
    y = np.concatenate((rng.permutation(numbers), np.tile(corners, len(corners)), whole))
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.float64), y.astype(np.float64))
    assert_close(called(own[f"own_{name}"], np.empty_like(x), x, y), exact, most)


def test_half_turns(own: ctypes.CDLL):
    quarters = np.arange(-4096, 4096, dtype=np.float32) / 4
    for name, function in (("sinpi", np.sin), ("cospi", np.cos)):
        found = called(own[f"own_{name}"], np.empty_like(quarters), quarters)
        exact = function(np.pi * np.fmod(quarters.astype(np.float64), 2))
        np.testing.assert_allclose(found, exact, atol=6e-8)
        whole = quarters == np.rint(quarters)
        assert set(np.abs(found[whole])) == ({0.0} if name == "sinpi" else {1.0})
    x = np.random.default_rng(4).uniform(-4, 4, 50_000).astype(np.float32)
    angle = np.pi * x.astype(np.float64)
    for name, function, most in (("sinpi", np.sin, 0.51), ("cospi", np.cos, 0.51), ("tanpi", np.tan, 2)):
        assert_close(called(own[f"own_{name}"], np.empty_like(x), x), function(angle), most)
    halves = np.float32([0.25, -0.25, 0.5, 1])
    np.testing.assert_array_equal(called(own.own_tanpi, np.empty_like(halves), halves), [1, -1, np.inf, 0])


def test_what_looks_into_the_bits(own: ctypes.CDLL, numbers: np.ndarray):
    finite = numbers[np.isfinite(numbers)]
    exponents = np.empty(len(finite), np.int32)
    own.own_frexp.restype = None
    fractions = np.empty_like(finite)
    pointers = (a.ctypes.data_as(ctypes.c_void_p) for a in (fractions, exponents, finite))
    own.own_frexp(*pointers, ctypes.c_int(len(finite)))
    expected = np.frexp(finite)
    np.testing.assert_array_equal(fractions, expected[0])
    np.testing.assert_array_equal(exponents, expected[1])

    shifts = np.random.default_rng(2).integers(-400, 400, len(finite)).astype(np.int32)
    with np.errstate(over="ignore"):
        expected_shifted = np.ldexp(finite.astype(np.float64), shifts).astype(np.float32)
    np.testing.assert_array_equal(called(own.own_ldexp, np.empty_like(finite), finite, shifts), expected_shifted)

    other = np.random.default_rng(3).permutation(numbers)
    with np.errstate(invalid="ignore"):
        expected_next = np.nextafter(numbers, other)
    np.testing.assert_array_equal(called(own.own_nextafter, np.empty_like(numbers), numbers, other), expected_next)
    corners = np.float32([0, np.nan, np.inf, 1, 1e-45])
    found = called(own.own_ilogb, np.empty(len(corners), np.int32), corners)
    assert found.tolist() == [-(2**31), -(2**31), 2**31 - 1, 0, -149]
    halves = np.float32([0.5, -0.5, 1.5, 2.5, 8388609])
    np.testing.assert_array_equal(called(own.own_round, np.empty_like(halves), halves), [1, -1, 2, 3, 8388609])
