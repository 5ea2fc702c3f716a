"""Metal kernels as PTX, run by an interpreter: the same results as on the CPU."""

import re
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from nvidia_stand_in import HostGpu, Launched, StandIn, compile_stand_in
from ptx_machine import execute
from ptx_values import PtxFault
from sanitizer_corpus import Case, cases

from kernelwright.metal import compile_shader
from kernelwright.metal.errors import MetalRunError
from kernelwright.metal.toolchain import Toolchain

pytestmark = pytest.mark.slow
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
CLEAN = cases("clean")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
Run = Callable[[Any, list[torch.Tensor]], None]


class Interpreted:
    """A GPU whose kernels the interpreter runs."""

    def __init__(self, library: Path):
        self.machine = StandIn(library, "interpreted")
        self.machine.on_launch(self._run)
        self.gpu: HostGpu = self.machine.gpu()
        self.memory: list[torch.Tensor] = []
        self.change: Callable[[str], str] = str

    def _run(self, launched: Launched) -> int:
        tensors = (*self.memory, *self.gpu.copies)
        execute(launched, {tensor.data_ptr(): tensor.nbytes for tensor in tensors}, self.change(launched.ptx))
        return 0

    def run(self, source: str, run: Run, tensors: list[torch.Tensor]) -> None:
        """Runs a kernel that may touch these tensors. Raises ``PtxFault``."""
        self.memory, self.machine.raised = tensors, None
        self.gpu.copies.clear()
        try:
            run(self.gpu.library(source), tensors)
        except MetalRunError:
            raise self.machine.raised or AssertionError from None

    def same(self, source: str, run: Run, tensors: list[torch.Tensor], tolerance: float = 1e-5) -> None:
        """Runs on the CPU, too: the tensors must hold the same afterwards."""
        expected = [tensor.clone() for tensor in tensors]
        run(compile_shader(source), expected)
        self.run(source, run, tensors)
        for buffer, (mine, theirs) in enumerate(zip(tensors, expected, strict=True)):
            torch.testing.assert_close(
                mine, theirs, rtol=tolerance, atol=tolerance, equal_nan=True, msg=lambda said, b=buffer: f"{b}: {said}"
            )


@pytest.fixture(scope="module")
def gpu(ptx_toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Interpreted:
    return Interpreted(compile_stand_in(ptx_toolchain, tmp_path_factory.mktemp("interpreted")))


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.path.stem)
def test_clean_kernels(gpu: Interpreted, case: Case):
    gpu.same(case.source, case.run, case.tensors())


REDUCTIONS = [f"{group}_{name}(v)" for group, name in product(("simd", "quad"), ("sum", "product", "min", "max"))]
PREFIXES = [
    f"{group}_prefix_{kind}_{name}(v)"
    for group, kind, name in product(("simd", "quad"), ("inclusive", "exclusive"), ("sum", "product"))
]
BITS = [f"float({group}_{name}(uint(lane * 77)))" for group, name in product(("simd", "quad"), ("and", "or", "xor"))]
VOTES = [
    "float((simd_vote::vote_t)simd_ballot(v > 0.5f))", "float((simd_vote::vote_t)simd_active_threads_mask())",
    "float(simd_any(v > 2)) + 2 * float(simd_all(v > -3))", "float(quad_any(v > 1)) + 2 * float(quad_all(v > 0))",
    "float((quad_vote::vote_t)quad_ballot(v > 0))", "float(simd_is_first())", "float(quad_is_first())",
]  # fmt: skip
FROM_THOSE_THERE = [
    "simd_broadcast_first(v)", "quad_broadcast_first(v)", "simd_shuffle_down(v, 3)", "simd_shuffle_up(v, 5)",
    "quad_shuffle_down(v, 1)", "quad_shuffle_up(v, 2)",
]  # fmt: skip
FROM_ANYWHERE = [
    "simd_shuffle(v, ushort(31 - lane))", "simd_shuffle_xor(v, 5)", "simd_broadcast(v, 7)",
    "simd_shuffle_rotate_up(v, 9)", "simd_shuffle_rotate_down(v, 9)", "quad_shuffle(v, ushort(3 - lane % 4))",
    "quad_shuffle_xor(v, 2)", "quad_broadcast(v, 1)", "simd_shuffle_and_fill_up(v, 9.0f, 3)",
    "simd_shuffle_and_fill_down(v, 9.0f, 3, 8)", "float(simd_shuffle(float4(v, 2 * v, 3, v), 4).y)",
    "float(simd_sum(half(lane))) + float(simd_max(short(lane)))", "float(simd_sum(int3(lane)).z)",
]  # fmt: skip


def exchanging(expressions: list[str], condition: str) -> str:
    lines = "".join(f"    out[{n} * count + i] = {text};\n" for n, text in enumerate(expressions))
    return f"""{HEAD}
kernel void k(device float* out, device const float* in, constant int& count, uint i [[thread_position_in_grid]],
              ushort lane [[thread_index_in_simdgroup]]) {{
  const float v = in[i];
  if ({condition}) {{
{lines}  }}
}}
"""


@pytest.mark.parametrize(
    ("expressions", "condition", "count"),
    [
        pytest.param(REDUCTIONS + PREFIXES + BITS + VOTES + FROM_THOSE_THERE + FROM_ANYWHERE, "true", 64, id="all"),
        pytest.param(REDUCTIONS + PREFIXES + BITS + VOTES + FROM_THOSE_THERE, "lane % 3 != 1", 64, id="some"),
        pytest.param(REDUCTIONS + PREFIXES + BITS + VOTES + FROM_THOSE_THERE, "v > 0", 64, id="some_by_data"),
        pytest.param(REDUCTIONS + PREFIXES + BITS + VOTES + FROM_THOSE_THERE, "lane == 21", 64, id="one"),
        pytest.param(REDUCTIONS + PREFIXES + BITS + VOTES + FROM_THOSE_THERE, "true", 75, id="partial_groups"),
    ],
)
def test_lanes(gpu: Interpreted, expressions: list[str], condition: str, count: int):
    gpu.same(
        exchanging(expressions, condition),
        lambda library, tensors: library.k(*tensors, count, threads=count, group_size=64, arg_casts="int32"),
        [torch.zeros(len(expressions), count), numbers(count)],
    )


def test_lanes_on_ways_of_their_own(gpu: Interpreted):
    source = f"""{HEAD}
kernel void k(device float* out, device const float* in, uint i [[thread_position_in_grid]],
              uint lane [[thread_index_in_simdgroup]]) {{
  float found = 0;
  if (lane < 11) found = simd_sum(in[i]);
  else if (lane % 2) found = 2 * simd_max(in[i]) + quad_sum(in[i]);
  for (uint round = 0; round < lane % 5; ++round) found += simd_prefix_inclusive_sum(in[i] + round);
  switch (lane % 3) {{
    case 0: found += simd_min(found); break;
    case 1: found -= simd_product(in[i]); break;
    default: break;
  }}
  out[i] = found + simd_sum(found);
}}
"""
    gpu.same(source, lambda library, t: library.k(*t, threads=96, group_size=96), [torch.zeros(96), numbers(96)])


@pytest.mark.parametrize(
    ("threads", "group"),
    [((70,), (32,)), ((37, 5), (16, 4)), ((5, 7, 3), (4, 4, 2)), ((33, 3), (32, 2)), ((3,), (64,))],
)
def test_places_of_threads(gpu: Interpreted, threads: tuple[int, ...], group: tuple[int, ...]):
    """All attributes, at the edges of the grid too, and what SIMD-groups are made of there."""
    names = (
        "thread_position_in_grid", "thread_position_in_threadgroup", "threadgroup_position_in_grid", "threads_per_grid",
        "threads_per_threadgroup", "threadgroups_per_grid", "dispatch_threads_per_threadgroup",
    )  # fmt: skip
    numbers_ = (
        "thread_index_in_threadgroup", "thread_index_in_simdgroup", "simdgroup_index_in_threadgroup",
        "simdgroups_per_threadgroup", "dispatch_simdgroups_per_threadgroup", "threads_per_simdgroup",
        "thread_index_in_quadgroup", "quadgroup_index_in_threadgroup",
    )  # fmt: skip
    parameters = "".join(f", uint3 a{n} [[{name}]]" for n, name in enumerate(names))
    parameters += "".join(f", uint b{n} [[{name}]]" for n, name in enumerate(numbers_))
    lines = "".join(f"  for (int j = 0; j < 3; ++j) *out++ = a{n}[j];\n" for n in range(len(names)))
    lines += "".join(f"  *out++ = b{n};\n" for n in range(len(numbers_)))
    size = 3 * len(names) + len(numbers_) + 1
    source = f"""{HEAD}
kernel void k(device uint* out{parameters}) {{
  out += {size} * (a0.x + a3.x * (a0.y + a3.y * a0.z));
{lines}  *out = simd_sum(a0.x + 100 * a0.y + 10000 * a0.z);
}}
"""
    total = torch.tensor(threads).prod().item()
    out = torch.zeros(int(total) * size, dtype=torch.int32)
    gpu.same(source, lambda library, t: library.k(*t, threads=threads, group_size=group), [out])


ONE = [
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "cospi", "exp", "exp10", "exp2", "fabs",
    "floor", "fract", "log", "log10", "log2", "rint", "round", "rsqrt", "saturate", "sign", "sin", "sinh", "sinpi",
    "sqrt", "tan", "tanh", "tanpi", "trunc",
]  # fmt: skip
TWO = ["atan2", "copysign", "divide", "fdim", "fmax", "fmin", "fmod", "pow", "powr", "nextafter"]


@pytest.mark.parametrize("kind", ["float", "half"])
def test_mathematics(gpu: Interpreted, kind: str):
    expressions = [f"{name}(x)" for name in ONE] + [f"{name}(x, y)" for name in TWO]
    expressions += ["fma(x, y, x)", "clamp(x, y, x)", "mix(x, y, x)", "smoothstep(x, y, x)", "ldexp(x, 3)"]
    lines = "".join(f"  out[{n} * 32 + i] = {text};\n" for n, text in enumerate(expressions))
    source = f"""{HEAD}
kernel void k(device {kind}* out, device const {kind}* in, device const {kind}* other, device int* exponents,
              uint i [[thread_position_in_grid]]) {{
  const {kind} x = in[i], y = other[i];
{lines}  exponents[i] = ilogb(x);
  int exponent;
  out[{len(expressions)} * 32 + i] = frexp(x, exponent);
  exponents[32 + i] = exponent;
}}
"""
    dtype = getattr(torch, {"float": "float32", "half": "float16"}[kind])
    x = torch.cat(
        (numbers(20), torch.tensor([0.0, -0.0, 1, -1, 0.5, 2, 30, 1e-5, torch.inf, -torch.inf, torch.nan, 7]))
    )
    tensors = [torch.zeros(len(expressions) + 1, 32), x, numbers(2, 32)[1] * 3]
    tensors = [*(tensor.to(dtype) for tensor in tensors), torch.zeros(64, dtype=torch.int32)]
    gpu.same(source, lambda library, t: library.k(*t, threads=32), tensors, 1e-5 if kind == "float" else 2e-3)


@pytest.mark.parametrize("kind", ["int", "uint", "short", "uchar", "long"])
def test_integers(gpu: Interpreted, kind: str):
    expressions = [f"{name}(x)" for name in ("abs", "clz", "ctz", "popcount", "reverse_bits")]
    expressions += [
        f"{name}(x, y)" for name in ("absdiff", "addsat", "subsat", "hadd", "rhadd", "mulhi", "max", "min", "rotate")
    ]
    expressions += ["madhi(x, y, x)", "madsat(x, y, x)", "x / y", "x % y", "x << 3", "x >> 2", "clamp(x, y, x)"]
    lines = "".join(f"  out[{n} * 32 + i] = {text};\n" for n, text in enumerate(expressions))
    source = f"""{HEAD}
kernel void k(device {kind}* out, device const {kind}* in, device const {kind}* other,
              uint i [[thread_position_in_grid]]) {{
  const {kind} x = in[i], y = other[i];
{lines}}}
"""
    bits = {"uchar": torch.uint8, "short": torch.int16, "long": torch.int64}.get(kind, torch.int32)
    low, high = (0, 256) if bits == torch.uint8 else (torch.iinfo(bits).min, torch.iinfo(bits).max)
    random = torch.Generator().manual_seed(0)
    x, y = (torch.randint(low, high, (32,), generator=random).to(bits) for _ in range(2))
    y[y == 0] = 1
    out = torch.zeros(len(expressions), 32, dtype=bits)
    gpu.same(source, lambda library, t: library.k(*t, threads=32), [out, x, y])


@pytest.mark.parametrize("kind", ["float", "half", "bfloat"])
def test_matrices(gpu: Interpreted, kind: str):
    source = f"""{HEAD}
kernel void k(device {kind}* out, device const {kind}* a, device const {kind}* b,
              uint lane [[thread_index_in_simdgroup]]) {{
  simdgroup_matrix<{kind}, 8, 8> left, right, unit = simdgroup_matrix<{kind}, 8, 8>({kind}(2)), found;
  simdgroup_load(left, a, 16, ulong2(8, 4));
  simdgroup_load(right, b, 16, ulong2(0, 8), true);
  simdgroup_multiply_accumulate(found, left, right, unit);
  simdgroup_store(found, out, 8);
  simdgroup_matrix<{kind}, 8, 8> product = found * make_filled_simdgroup_matrix<{kind}, 8, 8>({kind}(0.5f));
  product.thread_elements()[0] = product.thread_elements()[0] + {kind}(lane);
  simdgroup_store(product, out + 64, 8, ulong2(0), true);
}}
"""
    dtype = getattr(torch, {"float": "float32", "half": "float16", "bfloat": "bfloat16"}[kind])
    tensors = [tensor.to(dtype) for tensor in (torch.zeros(128), numbers(16, 16), numbers(2, 16, 16)[1])]
    gpu.same(source, lambda library, t: library.k(*t, threads=32), tensors, {"float": 1e-5}.get(kind, 1e-2))


def test_arguments_of_every_kind(gpu: Interpreted):
    source = f"""{HEAD}
struct Sizes {{ int rows; packed_float3 scale; }};
constant bool doubled [[function_constant(0)]];
template <typename T>
[[max_total_threads_per_threadgroup(64)]] kernel void k(
    device T* out, constant Sizes& sizes, constant float* factors, device const T* const* rows, constant long& shift,
    threadgroup float* memory [[threadgroup(0)]], threadgroup float4* wide [[threadgroup(1)]],
    uint i [[thread_position_in_grid]]) {{
  memory[i] = float(rows[1][i]) * sizes.scale.z;
  wide[i % 2] = float4(factors[1]);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = T(memory[i ^ 1] + wide[0].w + float(shift) + float(sizes.rows) + float(rows[0][i]) * (doubled ? 2 : 1));
}}
template [[host_name("k_half")]] kernel void k<half>(device half*, constant Sizes&, constant float*,
    device const half* const*, constant long&, threadgroup float*, threadgroup float4*, uint);
"""
    sizes = torch.cat((torch.tensor([5], dtype=torch.int32).view(torch.float32), torch.tensor([1.0, 2.0, 3.0])))
    first, second = numbers(2, 64).half()

    def run(library: Any, t: list[torch.Tensor]) -> None:
        library.k_half(t[0], t[1], [1.5, 2.5], [t[2], t[3]], 7, threads=64, threadgroup_bytes={0: 256, 1: 32})

    # constants are part of compiling: the same value for both
    plain = source.replace("constant bool doubled [[function_constant(0)]];", "constant constexpr bool doubled = true;")
    gpu.same(plain, run, [torch.zeros(64).half(), sizes, first, second])


@pytest.mark.parametrize("name", ["add", "softmax", "layer norm", "scan", "tiles", "simdgroup_matrix", "histogram"])
def test_kernels_of_the_benchmark(gpu: Interpreted, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    sys.modules.pop("metal_cuda_cases", None)
    import metal_cuda_cases

    (case,) = [case for case in metal_cuda_cases.CASES if name in case.name]
    setup = case.prepare("cpu", min(case.small, {"tiles": 32, "simdgroup_matrix": 64}.get(name, 1024)))

    def run(library: Any, _: list[torch.Tensor]) -> None:
        kernel = getattr(library, case.kernel)
        kernel(*setup.arguments, threads=setup.threads, group_size=setup.group_size, arg_casts=dict(setup.casts))

    gpu.run(case.source, run, [a for a in setup.arguments if isinstance(a, torch.Tensor)])
    exact = setup.exact()
    torch.testing.assert_close(setup.out.to(exact.dtype), exact, rtol=1e-5, atol=1e-4)


def test_what_the_interpreter_refuses(gpu: Interpreted, monkeypatch: pytest.MonkeyPatch):
    """Else the tests above would say little."""
    source = exchanging(["simd_shuffle_down(v, 3)"], "lane % 3 != 1")
    tensors = [torch.zeros(1, 64), numbers(64)]

    def run(library: Any, given: list[torch.Tensor]) -> None:
        library.k(*given, 64, threads=64, group_size=64, arg_casts="int32")

    gpu.run(source, run, tensors)
    with monkeypatch.context() as changed, pytest.raises(PtxFault, match="names 0xffffffff, here are"):
        changed.setattr(gpu, "change", lambda ptx: re.sub(r"activemask\.b32\s+(%r\d+)", r"mov.b32 \1, -1", ptx))
        gpu.run(source, run, tensors)
    with pytest.raises(PtxFault, match="is in no memory that was handed over"):
        gpu.run(source, lambda library, given: run(library, [given[0][:, :32].clone(), given[1]]), tensors)
    barrier = f"{HEAD}kernel void k(device float* x, uint i [[thread_position_in_grid]]) {{ if (i < 40) "
    barrier += "threadgroup_barrier(mem_flags::mem_device); x[i] = 1; }"
    with pytest.raises(PtxFault, match="a barrier was reached by 40 of 64 threads"):
        gpu.run(barrier, lambda library, given: library.k(*given, threads=64, group_size=64), [torch.zeros(64)])
