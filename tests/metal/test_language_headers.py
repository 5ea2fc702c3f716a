"""Metal's types and standard library: compiled as they are, called from here, compared with NumPy."""

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernelwright.metal.build import Builder, system_libraries
from kernelwright.metal.preprocess import HEADERS
from kernelwright.metal.toolchain import Toolchain

pytestmark = pytest.mark.slow

INCLUDES = """
#include "kw_types.h"
#include "kw_array.h"
#include "kw_matrix.h"
#include "kw_pack.h"
#include "kw_logging.h"
#include "kw_simd_names.h"
using namespace metal;
#line 1 "test.cpp"
"""


def compiles(toolchain: Toolchain, source: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [*toolchain.clang, *Builder(toolchain).flags, "-I", str(HEADERS), *more, "-"]
    return subprocess.run(command, input=INCLUDES + source, capture_output=True, text=True, check=False)


def load(toolchain: Toolchain, folder: Path, source: str) -> ctypes.CDLL:
    code, library = folder / "test.o", folder / "test.so"
    done = compiles(toolchain, source, "-fvisibility=default", "-c", "-o", str(code))
    assert done.returncode == 0, done.stderr
    command = [*toolchain.linker, "-shared", "-o", str(library), str(code), *system_libraries("libm.so.6")]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library))


def apply(function: Any, out: np.ndarray, *inputs: np.ndarray) -> np.ndarray:
    """Calls ``function(out, input, ..., n)``."""
    arrays = [np.ascontiguousarray(a) for a in inputs]
    function(*(a.ctypes.data_as(ctypes.c_void_p) for a in (out, *arrays)), ctypes.c_int(len(out)))
    return out


FACTS = """
static_assert(sizeof(float3) == 16 && alignof(float3) == 16 && sizeof(half3) == 8 && alignof(uchar4) == 4);
static_assert(sizeof(packed_float3) == 12 && alignof(packed_float3) == 4 && alignof(packed_char4) == 1);
static_assert(sizeof(float4x3) == 64 && sizeof(half2x2) == 8 && sizeof(bool4) == 4 && sizeof(long3) == 32);
static_assert(__is_trivial(float4) && __is_trivial(packed_int3) && __is_trivial(half4x4) && __is_trivial(bfloat));

static_assert(is_floating_point_v<bfloat> && is_floating_point_v<half4> && !is_floating_point_v<int>);
static_assert(is_integral_v<uint2> && is_scalar_v<half> && !is_scalar_v<half2> && is_signed_v<char>);
static_assert(is_same_v<conditional_t<true, int, float>, int> && is_same_v<make_unsigned_t<long>, ulong>);
static_assert(is_same_v<invoke_result_t<float (*)(int), int>, float> && conjunction_v<true_type, is_void<void>>);

static_assert(numeric_limits<int>::min() == -2147483647 - 1 && numeric_limits<ulong>::max() == ~0ul);
static_assert(numeric_limits<char>::max() == 127 && numeric_limits<ushort>::digits == 16);
static_assert(numeric_limits<float>::max() == 0x1.fffffep127f && numeric_limits<float>::min() == 0x1p-126f);
static_assert(numeric_limits<half>::max() == 65504 && numeric_limits<half>::epsilon() == 0x1p-10f);
static_assert(numeric_limits<half>::lowest() == -65504 && numeric_limits<half>::denorm_min() == 0x1p-24f);
static_assert(float(numeric_limits<bfloat>::max()) == 0x1.fep127f && numeric_limits<bfloat>::digits == 8);
static_assert(numeric_limits<float>::max_exponent10 == 38 && numeric_limits<float>::min_exponent10 == -37);
static_assert(numeric_limits<float>::quiet_NaN() != numeric_limits<float>::quiet_NaN());

static_assert(!is_convertible_v<float, bfloat> && !is_convertible_v<half, bfloat> && !is_convertible_v<bfloat, half>);
static_assert(is_convertible_v<bfloat, bool> && is_convertible_v<bfloat, uint>);
static_assert(is_convertible_v<bfloat, float> && is_convertible_v<int, bfloat> && !is_convertible_v<half4, float4>);
static_assert(is_same_v<decltype(bfloat(1) + 1), bfloat> && is_same_v<decltype(bfloat(1) * 1.0f), float>);
static_assert(is_same_v<decltype(true ? bfloat(1) : 0.0f), float>);
static_assert(is_same_v<decltype(max(bfloat(1), bfloat(2))), float>);
#define BESIDE(T) decltype(true ? declval<T>() : decltype(kw::beside(declval<T>()))(7))
static_assert(is_same_v<BESIDE(bfloat), bfloat> && is_same_v<BESIDE(half), half> && is_same_v<BESIDE(uint), uint>);
static_assert(is_same_v<BESIDE(char), int> && is_same_v<BESIDE(bool), int> && is_same_v<BESIDE(long), long>);
static_assert(is_same_v<BESIDE(float4), float4> && is_same_v<BESIDE(const bfloat&), const bfloat>);
constexpr int* no_pointer = decltype(kw::beside((int*)nullptr))(0);
struct Always { constexpr operator bool() const { return true; } };
constexpr bfloat from_class() { bfloat b = Always(); int i = 2; i += b; i *= bfloat(1.5f); return b + i; }
static_assert(from_class() == 5);
static_assert(bfloat(1.00390625f) == 1.0f && bfloat(1.01171875f) == 1.015625f);  // ties to even
static_assert(float(-bfloat(2)) == -2 && bfloat(3) > 2 && 2 < bfloat(3) && bfloat(0.1f) != 0.1f);
constexpr bfloat counted() { bfloat b = 1; b += 0.5f; ++b; b *= 2; return b--; }
static_assert(counted() == 5);

constexpr float4 v = float4(float2(1, 2), 3, half(4));
static_assert(v[0] == 1 && v[3] == 4 && all(v == float4(1, 2, 3, 4)) && any(v > 3) && !any(v > 4));
static_assert(all(v * 2 + float4(1) == float4(3, 5, 7, 9)) && all(-v == 0 - v) && all((v < 3) == bool4(1, 1, 0, 0)));
static_assert(all(uint3{1, 2} == uint3(1, 2, 0)) && all(int4(float4(1.9f)) == 1) && all(int2(7) % 4 << 1 == 6));
static_assert(all(v.zyx == float3(3, 2, 1)) && all(v.bgra == float4(3, 2, 1, 4)) && all(v.xxww == float4(1, 1, 4, 4)));
constexpr float4 written() {
  float4 a = 0;
  a.yx = float2(1, 2);
  a.wz += 3;
  a.xyz *= 2;
  a++;
  return a;
}
static_assert(all(written() == float4(5, 3, 7, 4)));
constexpr packed_float3 packed = float3(1, 2, 3);
static_assert(all(packed * 2 == float3(2, 4, 6)) && all(float3(packed) == packed) && all(packed.zy == float2(3, 2)));

static_assert(dot(v, v) == 30 && all(cross(float3(1, 0, 0), float3(0, 1, 0)) == float3(0, 0, 1)));
static_assert(length_squared(half2(3, 4)) == 25 && all(max(v, 2.5f) == float4(2.5f, 2.5f, 3, 4)));
static_assert(all(clamp(v, 2, 3) == float4(2, 2, 3, 3)) && all(select(v, -v, v > 2) == float4(1, 2, -3, -4)));
static_assert(as_type<uint>(1.0f) == 0x3f800000 && as_type<ushort>(half(1)) == 0x3c00);
static_assert(as_type<ushort>(bfloat(1)) == 0x3f80 && as_type<bfloat>(ushort(0x4000)) == 2);
static_assert(determinant(float2x2(1, 2, 3, 4)) == -2 && determinant(float4x4(2)) == 16);
static_assert(transpose(float2x3(1, 2, 3, 4, 5, 6)) == float3x2(1, 4, 2, 5, 3, 6));
static_assert(all(float2x3(1, 2, 3, 4, 5, 6) * float2(1, 10) == float3(41, 52, 63)));
static_assert(all(float3(1, 10, 100) * float2x3(1, 2, 3, 4, 5, 6) == float2(321, 654)));
static_assert(array<int, 3>{1, 2, 3}[1] == 2 && array<int, 3>::size() == 3);
"""


def test_what_the_compiler_can_tell(toolchain: Toolchain):
    done = compiles(toolchain, FACTS, "-fsyntax-only")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "snippet",
    [
        "auto a = max(1, 1u);",
        "auto a = sqrt(2);",
        "bfloat a = 1.0f;",
        "bfloat a; a = 1.0f;",
        "auto a = bfloat(1) + half(1);",
        "auto a = int4(1) * 1.5f;",
        "float4 a = half4(1);",
        "float4 a; a.xx = float2(1);",
        "float4 a; a.xy.yx = float2(1);",
        "float3 a = float2(1);",
        "auto a = float4(1, 2, 3, 4, 5);",
        "auto a = float4(float3(1), float2(1));",
        "auto a = float4(1) + float3(1);",
        "auto a = as_type<float>(half(1));",
        "auto a = log1p(1.0f);",
    ],
)
def test_what_is_no_metal(toolchain: Toolchain, snippet: str):
    done = compiles(toolchain, f"void f() {{ {snippet} }}", "-fsyntax-only")
    assert "test.cpp:1:" in done.stderr and "error:" in done.stderr


ONE = [
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "cospi", "exp", "exp10", "exp2", "fabs",
    "floor", "fract", "log", "log10", "log2", "rint", "round", "rsqrt", "saturate", "sign", "sin", "sinh", "sinpi",
    "sqrt", "tan", "tanh", "tanpi", "trunc",
]  # fmt: skip
TWO = ["atan2", "copysign", "fdim", "fmax", "fmin", "fmod", "pow"]


@pytest.fixture(scope="module")
def mathematics(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    lines: list[str] = []
    for type_ in ("float", "half"):
        for name in ONE:
            lines.append(
                f'extern "C" void {name}_{type_}({type_}* o, {type_}* x, int n) '
                f"{{ for (int i = 0; i < n; ++i) o[i] = precise::{name}(x[i]); }}"
            )
        for name in TWO:
            lines.append(
                f'extern "C" void {name}_{type_}({type_}* o, {type_}* x, {type_}* y, int n) '
                f"{{ for (int i = 0; i < n; ++i) o[i] = fast::{name}(x[i], y[i]); }}"
            )
    return load(toolchain, tmp_path_factory.mktemp("mathematics"), "\n".join(lines))


REFERENCE: dict[str, Any] = {
    "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan,
    "atanh": np.arctanh, "exp10": lambda x: 10**x, "cospi": lambda x: np.cos(np.pi * (x % 2)),
    "sinpi": lambda x: np.sin(np.pi * (x % 2)), "tanpi": lambda x: np.tan(np.pi * (x % 1)), "fract": lambda x: x % 1,
    "rsqrt": lambda x: 1 / np.sqrt(x), "round": lambda x: np.trunc(x + np.copysign(0.5, x)),
    "saturate": lambda x: np.fmin(np.fmax(x, 0), 1), "atan2": np.arctan2, "pow": np.power,
    "fdim": lambda x, y: np.where(x > y, x - y, 0),
}  # fmt: skip


def domain(name: str, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = np.concatenate((rng.normal(0, 3, count), rng.uniform(-1, 1, count), rng.normal(0, 1e-4, count)))
    if name in ("acos", "asin", "atanh"):
        return x[np.abs(x) < 0.999]
    if name == "acosh":
        return 1.001 + np.abs(x)
    if name in ("log", "log10", "log2", "rsqrt", "sqrt", "pow"):
        return np.abs(x) + 1e-3
    return x


def error_in_last_places(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    exact_here = exact.astype(found.dtype)
    return np.abs(found.astype(np.float64) - exact) / np.spacing(np.abs(exact_here)).astype(np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["float", "half"])
@pytest.mark.parametrize("name", ONE + TWO)
def test_accuracy(mathematics: ctypes.CDLL, name: str, dtype: Any):
    x = domain(name, 2000).astype(dtype)
    y = np.random.default_rng(1).normal(0, 2, len(x)).astype(dtype)
    inputs = (x, y) if name in TWO else (x,)
    type_ = "float" if dtype is np.float32 else "half"
    found = apply(getattr(mathematics, f"{name}_{type_}"), np.empty_like(x), *inputs)
    with np.errstate(over="ignore", invalid="ignore"):
        exact = REFERENCE.get(name, getattr(np, name, None))(*(a.astype(np.float64) for a in inputs))
        finite = np.isfinite(exact.astype(dtype))
    smallest = 1e-3 if name in ("sinpi", "cospi", "tanpi", "fract") else 0  # below it the reference is not exact
    sane = finite & (np.abs(exact) > smallest)
    worst = error_in_last_places(found[sane], exact[sane]).max()
    # the largest errors of glibc's float functions lie between 1 and 2.5; a half is rounded once
    assert worst <= (3 if dtype is np.float32 else 0.51)


def test_special_values(mathematics: ctypes.CDLL):
    nan, inf = np.float32("nan"), np.float32("inf")
    x = np.array([nan, 1, nan, -inf, 0.0], np.float32)
    y = np.array([1, nan, nan, 2, -0.0], np.float32)
    for name, expected in (("fmax", [1, 1, nan, 2, 0]), ("fmin", [1, 1, nan, -inf, 0])):
        found = apply(getattr(mathematics, f"{name}_float"), np.empty_like(x), x, y)
        np.testing.assert_array_equal(found, np.array(expected, np.float32))

    def one(name: str, *values: float) -> list[float]:
        array = np.array(values, np.float32)
        return apply(getattr(mathematics, f"{name}_float"), np.empty_like(array), array).tolist()

    assert one("saturate", nan, 2, -1, 0.5) == [0, 1, 0, 0.5]
    assert one("sign", nan, -3, 0, 7) == [0, -1, 0, 1]
    assert one("fract", -1e-9, inf) == [np.float32(1 - 2**-24), 0]
    assert one("sinpi", 1, 2, 0.5, 1.5, -0.5, 1e7) == [0, 0, 1, -1, -1, 0]
    assert one("cospi", 0.5, 1, 2, 1.5) == [0, -1, 1, 0]
    assert one("tanpi", 0, 1) == [0, 0]
    assert one("sinpi", 1e-20) == [np.float32(np.pi * 1e-20)]
    assert one("round", 0.5, -2.5, 1.49) == [1, -3, 1]
    assert one("rint", 0.5, 1.5, -2.5) == [0, 2, -2]
    half = np.array([-1e-4], np.float16)
    assert apply(mathematics.fract_half, np.empty_like(half), half)[0] == np.float16(1 - 2**-11)


INTEGERS = """
#define EACH(T, name, expression) \\
  extern "C" void name##_##T(T* o, T* x, T* y, int n) { for (int i = 0; i < n; ++i) o[i] = T(expression); }
#define ALL(T) EACH(T, addsat, addsat(x[i], y[i])) EACH(T, subsat, subsat(x[i], y[i])) \\
  EACH(T, absdiff, absdiff(x[i], y[i])) EACH(T, mulhi, mulhi(x[i], y[i])) \\
  EACH(T, hadd, hadd(x[i], y[i])) EACH(T, rhadd, rhadd(x[i], y[i])) \\
  EACH(T, clz, clz(x[i])) EACH(T, ctz, ctz(x[i])) EACH(T, popcount, popcount(x[i])) \\
  EACH(T, reverse_bits, reverse_bits(x[i])) EACH(T, rotate, rotate(x[i], T(y[i] & 63))) \\
  EACH(T, madsat, madsat(x[i], y[i], T(3))) EACH(T, extract, extract_bits(x[i], 2, 3)) \\
  EACH(T, insert, insert_bits(x[i], y[i], 3, 4)) EACH(T, median, median3(x[i], y[i], T(5)))
ALL(int8_t) ALL(uchar) ALL(short) ALL(ushort) ALL(int) ALL(uint) ALL(long) ALL(ulong)
"""
TYPES = {
    "int8_t": np.int8, "uchar": np.uint8, "short": np.int16, "ushort": np.uint16,
    "int": np.int32, "uint": np.uint32, "long": np.int64, "ulong": np.uint64,
}  # fmt: skip


@pytest.fixture(scope="module")
def integers(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return load(toolchain, tmp_path_factory.mktemp("integers"), INTEGERS)


@pytest.mark.parametrize("type_", TYPES)
def test_integer_functions(integers: ctypes.CDLL, type_: str):
    dtype = TYPES[type_]
    info = np.iinfo(dtype)
    bits, low, high = info.bits, int(info.min), int(info.max)
    mask = (1 << bits) - 1
    rng = np.random.default_rng(3)
    edges = np.array([low, low + 1, 0, 1, 2, high - 1, high], dtype)
    xs = np.concatenate((np.repeat(edges, len(edges)), rng.integers(low, high, 300, dtype, endpoint=True)))
    ys = np.concatenate((np.tile(edges, len(edges)), rng.integers(low, high, 300, dtype, endpoint=True)))

    def wrapped(value: int) -> int:
        value &= mask
        return value - (1 << bits) if low < 0 and value > high else value

    def clipped(value: int) -> int:
        return max(low, min(high, value))

    def rotated(value: int, by: int) -> int:
        by %= bits
        return value << by | (value & mask) >> (bits - by)

    expected: dict[str, Any] = {
        "addsat": lambda x, y: clipped(x + y),
        "subsat": lambda x, y: clipped(x - y),
        "absdiff": lambda x, y: abs(x - y),
        "mulhi": lambda x, y: x * y >> bits,
        "hadd": lambda x, y: (x + y) >> 1,
        "rhadd": lambda x, y: (x + y + 1) >> 1,
        "clz": lambda x, y: bits - (x & mask).bit_length(),
        "ctz": lambda x, y: ((x & -x & mask).bit_length() - 1) if x & mask else bits,
        "popcount": lambda x, y: (x & mask).bit_count(),
        "reverse_bits": lambda x, y: int(f"{x & mask:0{bits}b}"[::-1], 2),
        "rotate": lambda x, y: rotated(x & mask, y & 63),
        "madsat": lambda x, y: clipped(x * y + 3),
        "extract": lambda x, y: ((x >> 2 & 7) ^ 4) - 4 if low < 0 else x >> 2 & 7,
        "insert": lambda x, y: (x & ~(15 << 3)) | (y & 15) << 3,
        "median": lambda x, y: sorted((x, y, 5))[1],
    }
    for name, function in expected.items():
        found = apply(getattr(integers, f"{name}_{type_}"), np.empty_like(xs), xs, ys)
        wanted = [wrapped(function(int(x), int(y))) for x, y in zip(xs, ys, strict=True)]
        assert found.tolist() == wanted, name


PACKING = """
#define EACH(name, To, From, function) \\
  extern "C" void name(To* o, From* x, int n) { for (int i = 0; i < n; ++i) o[i] = function(x[i]); }
EACH(unorm4x8, uint, float4, pack_float_to_unorm4x8)
EACH(snorm4x8, uint, float4, pack_float_to_snorm4x8)
EACH(snorm2x16, uint, float2, pack_float_to_snorm2x16)
EACH(from_unorm, float4, uint, unpack_unorm4x8_to_float)
EACH(from_snorm, float4, uint, unpack_snorm4x8_to_float)
extern "C" void trips(uint* o, uint* x, int n) { for (int i = 0; i < n; ++i) {
  o[i] = pack_float_to_unorm4x8(unpack_unorm4x8_to_float(x[i])) == x[i]
    && pack_float_to_srgb_unorm4x8(unpack_unorm4x8_srgb_to_float(x[i])) == x[i]
    && pack_float_to_unorm10a2(unpack_unorm10a2_to_float(x[i])) == x[i]
    && pack_float_to_unorm2x16(unpack_unorm2x16_to_float(x[i])) == x[i]
    && pack_float_to_unorm565(unpack_unorm565_to_float(ushort(x[i]))) == ushort(x[i])
    && pack_half_to_unorm4x8(unpack_unorm4x8_to_half(x[i])) == x[i];
} }
"""


def test_packing(toolchain: Toolchain, tmp_path: Path):
    library = load(toolchain, tmp_path, PACKING)
    numbers = np.random.default_rng(4).integers(0, 2**32, 1000, np.uint32)
    assert apply(library.trips, np.zeros_like(numbers), numbers).all()
    x = np.array([[0, 1, 0.5, 2], [-1, -2, 1 / 255, np.nan]], np.float32)
    assert apply(library.unorm4x8, np.zeros(2, np.uint32), x).view(np.uint8).tolist() == [0, 255, 128, 255, 0, 0, 1, 0]
    signed = apply(library.snorm4x8, np.zeros(2, np.uint32), x).view(np.int8)
    assert signed.tolist()[:7] == [0, 127, 64, 127, -127, -127, 0]
    wide = apply(library.snorm2x16, np.zeros(1, np.uint32), np.array([[-1, 0.5]], np.float32))
    assert wide.view(np.int16).tolist() == [-32767, 16384]
    found = np.zeros((1000, 4), np.float32)
    apply(library.from_unorm, found, numbers)
    np.testing.assert_array_equal(found, numbers.view(np.uint8).reshape(-1, 4) / np.float32(255))
    apply(library.from_snorm, found, numbers)
    np.testing.assert_array_equal(found, np.fmax(numbers.view(np.int8).reshape(-1, 4) / np.float32(127), -1))


GEOMETRY = """
extern "C" void lengths(float* o, float3* x, int n) { for (int i = 0; i < n; ++i) o[i] = length(x[i]); }
extern "C" void units(float3* o, float3* x, int n) { for (int i = 0; i < n; ++i) o[i] = fast::normalize(x[i]); }
extern "C" void determinants(float* o, float4x4* m, int n) { for (int i = 0; i < n; ++i) o[i] = determinant(m[i]); }
extern "C" void products(float4x4* o, float4x4* m, int n) { for (int i = 0; i < n; ++i) o[i] = m[i] * m[i] - m[i] * 2; }
extern "C" void bent(float3* o, float3* x, int n) { for (int i = 0; i < n; ++i) {
  float3 up = float3(0, 0, 1), in = normalize(x[i]);
  o[i] = reflect(in, up) + refract(in, up, 0.5f) + faceforward(up, in, up);
} }
"""


def test_geometry_and_matrices(toolchain: Toolchain, tmp_path: Path):
    library = load(toolchain, tmp_path, GEOMETRY)
    x = np.random.default_rng(5).normal(size=(200, 4)).astype(np.float32)
    x[:, 2] = -np.abs(x[:, 2])
    v = x[:, :3].astype(np.float64)
    norms = np.linalg.norm(v, axis=1)
    np.testing.assert_allclose(apply(library.lengths, np.zeros(200, np.float32), x), norms, rtol=1e-6)
    found = np.zeros((200, 4), np.float32)
    apply(library.units, found, x)
    np.testing.assert_allclose(found[:, :3], v / norms[:, None], rtol=1e-6)
    apply(library.bent, found, x)
    inward, up = v / norms[:, None], np.array([0, 0, 1.0])
    cosine = inward @ up
    k = 1 - 0.25 * (1 - cosine**2)
    expected = inward - 2 * cosine[:, None] * up + 0.5 * inward - (0.5 * cosine + np.sqrt(k))[:, None] * up + up
    np.testing.assert_allclose(found[:, :3], expected, atol=1e-6)
    # a column of ours is a row of NumPy's
    m = np.random.default_rng(6).normal(size=(50, 4, 4)).astype(np.float32)
    wide = m.astype(np.float64)
    np.testing.assert_allclose(apply(library.determinants, np.zeros(50, np.float32), m), np.linalg.det(wide), atol=1e-4)
    products = np.zeros((50, 4, 4), np.float32)
    apply(library.products, products, m)
    np.testing.assert_allclose(products, wide @ wide - 2 * wide, atol=1e-5)
