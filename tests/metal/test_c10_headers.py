"""PyTorch's own headers for Metal, c10/metal: each compiles, and what it computes is what torch computes on the CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kernelwright.metal import compile_shader
from kernelwright.metal.toolchain import Toolchain

HEADERS = sorted(path.name for path in (Path(torch.__file__).parent / "include/c10/metal").glob("*.h"))

Draw = Callable[[], torch.Tensor]


def positive() -> torch.Tensor:
    return torch.linspace(0.05, 12, 300)


def around_zero() -> torch.Tensor:
    return torch.linspace(-6, 6, 301)


def inside() -> torch.Tensor:
    return torch.linspace(-0.99, 0.99, 200)


special = torch.special
FUNCTIONS: dict[str, tuple[Draw, Callable[[torch.Tensor], torch.Tensor]]] = {
    "erf(x)": (around_zero, torch.erf),
    "erfc(x)": (around_zero, torch.erfc),
    "erfinv(x)": (inside, torch.erfinv),
    "erfcx(x)": (positive, special.erfcx),
    "log_gamma(x)": (positive, torch.lgamma),
    "gamma(x)": (positive, lambda x: torch.lgamma(x).exp()),
    "digamma(x)": (positive, torch.digamma),
    "trigamma(x)": (positive, lambda x: torch.polygamma(1, x)),
    "polygamma(2, x)": (positive, lambda x: torch.polygamma(2, x)),
    "zeta(x + 1.5f, 2.0f)": (positive, lambda x: special.zeta(x + 1.5, 2.0)),
    "i0(x)": (around_zero, special.i0),
    "i0e(x)": (around_zero, special.i0e),
    "i1(x)": (around_zero, special.i1),
    "i1e(x)": (around_zero, special.i1e),
    "sinc(x)": (around_zero, torch.sinc),
    "entr(x)": (positive, special.entr),
    "xlogy(x, x)": (positive, lambda x: torch.xlogy(x, x)),
    "xlog1py(x, x)": (positive, lambda x: special.xlog1py(x, x)),
    "logaddexp(x, 1 - x)": (around_zero, lambda x: torch.logaddexp(x, 1 - x)),
    "spherical_bessel_j0(x)": (around_zero, special.spherical_bessel_j0),
    "bessel_j0_forward(x)": (positive, special.bessel_j0),
    "bessel_y0_forward(x)": (positive, special.bessel_y0),
    "bessel_j1_forward(x)": (positive, special.bessel_j1),
    "bessel_y1_forward(x)": (positive, special.bessel_y1),
    "modified_bessel_i0_forward(x)": (positive, special.modified_bessel_i0),
    "modified_bessel_k0_forward(x)": (positive, special.modified_bessel_k0),
    "modified_bessel_k1_forward(x)": (positive, special.modified_bessel_k1),
    "chebyshev_polynomial_t_forward(x, 5)": (inside, lambda x: special.chebyshev_polynomial_t(x, 5)),
    "hermite_polynomial_h_forward(x, 4)": (inside, lambda x: special.hermite_polynomial_h(x, 4)),
    "expm1f(x)": (around_zero, torch.expm1),
    "igamma(x, 2.5f)": (positive, lambda x: special.gammainc(x, torch.tensor(2.5).to(x))),
    "igammac(x, 2.5f)": (positive, lambda x: special.gammaincc(x, torch.tensor(2.5).to(x))),
    "max(x, -x)": (around_zero, lambda x: torch.maximum(x, -x)),
    "floor_divide(x, 1.5f)": (around_zero, lambda x: torch.floor(x / 1.5)),
}
"""Expressions in ``x`` over functions of the headers."""


def floats(expressions: dict[str, Any]) -> str:
    """A program with a kernel ``f<n>`` for each expression."""
    includes = "".join(f"#include <c10/metal/{name}.h>\n" for name in ("special_math", "igamma", "expm1f", "utils"))
    kernels = "".join(
        f"kernel void f{n}(device float* out, device const float* in, uint i [[thread_position_in_grid]])"
        f" {{ float x = in[i]; out[i] = c10::metal::{expression}; }}\n"
        for n, expression in enumerate(expressions)
    )
    return includes + kernels


@pytest.fixture(scope="module")
def functions(toolchain: Toolchain) -> Any:
    return compile_shader(floats(FUNCTIONS))


@pytest.mark.parametrize("header", HEADERS)
def test_each_header_alone_in_a_program(toolchain: Toolchain, header: str):
    source = f"#include <c10/metal/{header}>\nkernel void one(device float* x) {{ x[0] = 1; }}"
    x = torch.zeros(1)
    compile_shader(source).one(x)
    assert x.item() == 1


@pytest.mark.parametrize("expression", FUNCTIONS)
def test_special_functions(functions: Any, expression: str):
    draw, expected = FUNCTIONS[expression]
    x = draw()
    out = torch.zeros_like(x)
    getattr(functions, f"f{list(FUNCTIONS).index(expression)}")(out, x)
    want = expected(x.double())
    # near a zero of an oscillating function an error in the argument is large beside the value
    torch.testing.assert_close(out.double(), want, rtol=2e-5, atol=2e-6)


RANDOM = """
#include <c10/metal/random.h>
kernel void bits(device uint* out, constant long& seed, uint i [[thread_position_in_grid]]) {
  uint4 drawn = c10::metal::philox4::rand(seed, i);
  for (int j = 0; j < 4; j++) out[4 * i + j] = drawn[j];
}
kernel void normal(device float* out, constant long& seed, uint i [[thread_position_in_grid]]) {
  out[i] = c10::metal::randn(seed, i);
}
kernel void whole(device long* out, constant long& seed, uint i [[thread_position_in_grid]]) {
  out[i] = c10::metal::randint64(seed, i, -5, 100);
}
"""


def philox(seed: int, index: int) -> list[int]:
    """Philox-4x32 (Salmon et al., SC 2011) with the 9 rounds that the header takes."""
    mask = 0xFFFFFFFF
    c, key = [0, 0, index >> 32, index & mask], [seed >> 32, seed & mask]
    for _ in range(9):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ key[0], b & mask, (a >> 32) ^ c[3] ^ key[1], a & mask]
        key = [(key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask]
    return c


def test_random_numbers(toolchain: Toolchain):
    library, seed, count = compile_shader(RANDOM), (77 << 32) + 1234567, 2000
    bits = torch.zeros(count, 4, dtype=torch.uint32)
    library.bits(bits, seed, threads=count)
    assert bits[:50].to(torch.int64).tolist() == [philox(seed, index) for index in range(50)]
    normal, whole = torch.zeros(count), torch.zeros(count, dtype=torch.int64)
    library.normal(normal, seed)
    library.whole(whole, seed)
    uniform = 1 - (bits[:, :2].to(torch.int64) & 0x7FFFFFFF).double() * 4.6566127342e-10
    want = torch.sqrt(-2 * uniform[:, 0].log()) * torch.cos(2 * torch.pi * uniform[:, 1])
    torch.testing.assert_close(normal.double(), want, rtol=1e-4, atol=1e-4)
    assert whole.min() == -5
    assert whole.max() == 99


REDUCTIONS = """
#include <c10/metal/reduction_utils.h>
using namespace c10::metal;
kernel void reduce(device float* out, device const float* in, device long* whole,
                   uint i [[thread_position_in_threadgroup]], uint n [[threads_per_threadgroup]]) {
  threadgroup float sums[32], products[32], tops[32];
  const float sum = threadgroup_sum(sums, in[i], i, n);
  const float product = threadgroup_prod(products, 1 + in[i] / 100, i, n);
  const float top = threadgroup_max(tops, in[i], i, n);
  if (i == 0) { out[0] = sum; out[1] = product; out[2] = top; }
  const long most = c10::metal::simd_max(long(i) << 33);
  const auto least = c10::metal::simd_argmin(in[i]);
  if (i == 0) { whole[0] = most; whole[1] = least.second; }
}
"""


def test_reductions(toolchain: Toolchain):
    x, out, whole = torch.randn(256), torch.zeros(3), torch.zeros(2, dtype=torch.int64)
    compile_shader(REDUCTIONS).reduce(out, x, whole, threads=256, group_size=256)
    torch.testing.assert_close(out, torch.stack([x.sum(), (1 + x / 100).prod(), x.max()]), rtol=1e-5, atol=1e-5)
    assert whole.tolist() == [31 << 33, int(x[:32].argmin())]


INDEXING = """
#include <c10/metal/indexing.h>
struct twice_functor {
  template <typename T> T operator()(const T x) { return 2 * x; }
};
struct minus_functor {
  template <typename T> T operator()(const T a, const T b) { return a - b; }
};
REGISTER_UNARY_OP(twice, float, float);
REGISTER_BINARY_OP(minus, float, float);
"""


def test_indexing_of_strided_tensors(toolchain: Toolchain):
    library = compile_shader(INDEXING)
    x = torch.randn(7, 4, 5).permute(2, 0, 1)
    out = torch.zeros(5, 7, 4)
    sizes = list(x.shape)[::-1]
    strides = [[4 * stride for stride in tensor.stride()[::-1]] for tensor in (x, out)]
    library.twice_strided_float_float(out, x, sizes, *strides, 3, threads=[4, 35], group_size=[4, 35])
    assert torch.equal(out, 2 * x)
    a, b, dense = torch.randn(130), torch.randn(130), torch.zeros(130)
    library.twice_dense_float_float(dense, a, 130, threads=33)
    assert torch.equal(dense, 2 * a)
    names = [name for name in dir(library) if name.startswith("minus_dense")]
    assert "minus_dense_float_float" in names
    library.minus_dense_float_float(dense, a, b)
    assert torch.equal(dense, a - b)


ATOMICS = """
#include <c10/metal/atomic.h>
#include <metal_stdlib>
using namespace metal;
using namespace c10::metal;
template <typename T, typename V>
kernel void add(device AtomicType_t<T>* out, device const V* in, constant uint& n, uint i [[thread_position_in_grid]]) {
  AtomicType<T>::atomic_add(out, i % n, static_cast<T>(in[i]));
}
#define EACH(T, V) template [[host_name("add_" #T)]] kernel void add<T, V>( \
  device AtomicType_t<T>*, device const V*, constant uint&, uint);
EACH(float, float)
EACH(half, half)
EACH(bfloat, bfloat)
EACH(int, int)
EACH(short, short)
EACH(uchar, uchar)
EACH(long, long)
"""

ADDED = {
    "float": torch.float32, "half": torch.float16, "bfloat": torch.bfloat16, "int": torch.int32, "short": torch.int16,
    "uchar": torch.uint8, "long": torch.int64,
}  # fmt: skip


@pytest.fixture(scope="module")
def atomics(toolchain: Toolchain) -> Any:
    return compile_shader(ATOMICS)


@pytest.mark.parametrize("name", ADDED)
def test_atomic_additions(atomics: Any, name: str):
    x = torch.randint(0, 3, (1000,)).to(ADDED[name])  # whole numbers: sums are exact in any order
    out = torch.zeros(8, dtype=ADDED[name])
    getattr(atomics, f"add_{name}")(out, x, 8, threads=1000, group_size=100)
    assert torch.equal(out, x.view(125, 8).to(torch.int64).sum(0).to(ADDED[name]))
