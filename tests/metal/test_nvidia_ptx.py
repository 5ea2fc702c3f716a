"""Metal programs as PTX: what is in it, and, where ptxas is, that it is accepted."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from metal_programs import ADD, MATMUL, SOFTMAX
from sanitizer_corpus import FOLDER

from kernelwright.metal import MetalCompileError
from kernelwright.metal.nvidia.ptx import PTX_VERSIONS, PtxBuilder, architecture, unresolved
from kernelwright.metal.program import Program, build
from kernelwright.metal.toolchain import CompilerFailed, Toolchain

PTXAS = shutil.which("ptxas")
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
CLEAN = {path.stem: path.read_text() for path in sorted((FOLDER / "clean").glob("*.metal"))}
EVERYTHING = f"""{HEAD}
template <typename T> T mathematics(T x, T y, T z) {{
  T r = acos(x) + acosh(x) + asin(x) + asinh(x) + atan(x) + atanh(x) + ceil(x) + cos(x) + cosh(x) + cospi(x) + exp(x);
  r += exp10(x) + exp2(x) + floor(x) + log(x) + log10(x) + log2(x) + rint(x) + round(x) + rsqrt(x) + sin(x) + sinh(x);
  r += sinpi(x) + sqrt(x) + tan(x) + tanh(x) + tanpi(x) + trunc(x) + fract(x) + fabs(x) + saturate(x) + sign(x);
  r += atan2(x, y) + fmod(x, y) + pow(x, y) + powr(x, y) + nextafter(x, y) + fdim(x, y) + copysign(x, y) + x / y;
  T whole, cosine;
  return r + fma(x, y, z) + clamp(x, y, z) + mix(x, y, z) + smoothstep(x, y, z) + modf(x, whole) + sincos(x, cosine);
}}
template <typename T> T integers(T x, T y, T z) {{
  T r = absdiff(x, y) + addsat(x, y) + subsat(x, y) + hadd(x, y) + rhadd(x, y) + mulhi(x, y) + madhi(x, y, z);
  return r + madsat(x, y, z) + clz(x) + ctz(x) + popcount(x) + rotate(x, y) + reverse_bits(x) + x / y + x % z;
}}
kernel void everything(device float* f, device half* h, device float4* v, device int* i, device ulong* u,
                       device bfloat* b, uint t [[thread_position_in_grid]]) {{
  f[t] = mathematics(f[t], f[t + 1], f[t + 2]) + dot(v[t], v[0]) + length(v[t].xyz);
  h[t] = mathematics(h[t], h[t + 1], h[t + 2]);
  v[t] = mathematics(v[t], v[t + 1], v[t + 2]) + normalize(v[t]) * ilogb(f[t]) + ldexp(f[t], i[t]);
  i[t] = integers(i[t], i[t + 1], i[t + 2]) + extract_bits(i[t], 3, 4);
  u[t] = integers(u[t], u[t + 1], u[t + 2]) + pack_float_to_unorm4x8(v[t]);
  b[t] = bfloat(float(b[t]) + float(b[t + 1])) * b[t + 2];
  int exponent;
  f[t + 1] = frexp(f[t + 3], exponent) + exponent + determinant(float4x4(v[0], v[1], v[2], v[3]));
}}
"""
PROGRAMS = CLEAN | {"add_program": ADD, "softmax_program": SOFTMAX, "matmul_program": MATMUL, "everything": EVERYTHING}


def compiled(toolchain: Toolchain, source: str, arch: str = "sm_90", **options: Any) -> tuple[Program, str]:
    program = build(source, backend=PtxBuilder(toolchain, arch), **options)
    return program, program.library.read_text()


def body(toolchain: Toolchain, statements: str) -> str:
    """PTX of a kernel with buffers ``x`` and ``out``, position ``i`` and ``lane``."""
    places = "uint i [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]]"
    source = f"{HEAD}kernel void k(device float* out, device const float* x, {places}) {{ {statements} }}"
    return compiled(toolchain, source)[1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_kernel_becomes_an_entry_point(ptx_toolchain: Toolchain, name: str):
    source = PROGRAMS[name]
    program, ptx = compiled(ptx_toolchain, source)
    entries = re.findall(r"^\.visible \.entry (\w+)\(", ptx, re.MULTILINE)
    assert entries == [f"kw_kernel_{kernel.number}" for kernel in program.kernels]
    assert unresolved(ptx) == []
    assert ".extern .func" not in ptx
    code = re.sub(r"//.*", "", source)
    assert ("threadgroup_barrier(" in code) == ("bar.sync" in ptx)
    if re.search(r"\bsimd_(sum|max|min|shuffle|prefix)|\bquad_|simdgroup_multiply", code):
        assert "shfl.sync." in ptx
    if re.search(r"atomic_fetch|atomic_exchange|atomic_compare", code):
        assert re.search(r"\b(atom|red)\.", ptx)
    assert "threadgroup" in code or ".shared" not in ptx


@pytest.mark.skipif(PTXAS is None, reason="ptxas is not installed")
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_ptxas_takes_it(ptx_toolchain: Toolchain, name: str, arch: str, tmp_path: Path):
    program, _ = compiled(ptx_toolchain, PROGRAMS[name], arch)
    command = [str(PTXAS), f"-arch={arch}", str(program.library), "-o", str(tmp_path / "program.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arch", PTX_VERSIONS)
def test_architectures(ptx_toolchain: Toolchain, arch: str):
    _, ptx = compiled(ptx_toolchain, SOFTMAX, arch)
    version = PTX_VERSIONS[arch]
    assert f".version {version // 10}.{version % 10}\n.target {arch}\n" in ptx


def test_which_architecture_a_gpu_gets():
    assert architecture(9, 0) == "sm_90"
    assert architecture(8, 7) == "sm_86"
    assert architecture(12, 0) == "sm_90"
    with pytest.raises(ValueError, match=r"compute capability 6\.1: Metal kernels need sm_70 or newer"):
        architecture(6, 1)


def test_unknown_architecture(ptx_toolchain: Toolchain):
    with pytest.raises(ValueError, match="no architecture 'sm_1': there are sm_70"):
        PtxBuilder(ptx_toolchain, "sm_1")


@pytest.mark.parametrize(
    "operation", ["simd_shuffle(x[i], ushort(3))", "simd_prefix_inclusive_sum(x[i])", "quad_sum(x[i])"]
)
def test_under_divergence_only_active_lanes_exchange(ptx_toolchain: Toolchain, operation: str):
    ptx = body(ptx_toolchain, f"if (x[i] > 0) out[i] = {operation};")
    active = set(re.findall(r"activemask\.b32\s+(%r\d+);", ptx))
    masks = re.findall(r"shfl\.sync\.idx\.b32\s+[^;]*,\s*([^,;]+);", ptx)
    assert masks
    for mask in masks:
        of_quad = re.search(rf"and\.b32\s+{re.escape(mask)}, (%r\d+), (%r\d+);", ptx)
        assert mask in active or (of_quad and active & {of_quad[1], of_quad[2]}), mask
    # the mask is taken where the lanes have parted already
    assert ptx.index("setp.leu.f32") < ptx.index("activemask")


def test_a_mask_of_all_lanes_is_used_where_all_are_active(ptx_toolchain: Toolchain):
    """The quick way of a reduction is taken behind a test of the mask, the other one holds for any mask."""
    ptx = body(ptx_toolchain, "if (x[i] > 0) out[i] = simd_sum(x[i]);")
    (active,) = re.findall(r"activemask\.b32\s+(%r\d+);", ptx)
    test = re.search(rf"setp\.(ne|eq)\.b32\s+(%p\d+), {active}, -1;\s+@!?\2 bra", ptx)
    assert test
    masks = re.findall(r"shfl\.sync\.idx\.b32\s+[^;]*,\s*([^,;]+);", ptx)
    assert masks.count("-1") == 5
    assert set(masks) == {"-1", active}
    assert ptx.index("activemask") < ptx.index(test[0]) < ptx.index("shfl.sync")


def test_atomics_are_single_instructions(ptx_toolchain: Toolchain):
    source = f"""{HEAD}
kernel void k(device atomic_int* a, device atomic_float* f, device atomic_uint* u,
              uint i [[thread_position_in_grid]]) {{
  threadgroup atomic_uint bins[4];
  atomic_store_explicit(&bins[i % 4], 0u, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  atomic_fetch_add_explicit(&bins[i % 4], 1u, memory_order_relaxed);
  atomic_fetch_max_explicit(a, int(i), memory_order_relaxed);
  atomic_fetch_add_explicit(f, 1.5f, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  atomic_fetch_or_explicit(u, atomic_load_explicit(&bins[i % 4], memory_order_relaxed), memory_order_relaxed);
}}
"""
    ptx = compiled(ptx_toolchain, source)[1]
    for instruction in ("shared.add.u32", "global.max.s32", "global.add.f32", "global.or.b32"):
        assert re.search(rf"\b(atom|red)\.(relaxed\.\w+\.)?{re.escape(instruction)}\b", ptx), instruction
    assert ".cas." not in ptx
    assert "mmio" not in ptx and "volatile" not in ptx


def test_memory_is_reached_in_its_own_space(ptx_toolchain: Toolchain):
    statements = "threadgroup float t[64]; t[lane] = x[i]; threadgroup_barrier(mem_flags::mem_threadgroup); "
    ptx = body(ptx_toolchain, f"{statements} out[i] = t[lane ^ 1];")
    assert "ld.global.b32" in ptx and "st.global.b32" in ptx
    assert "ld.shared.b32" in ptx and "st.shared.b32" in ptx
    assert not re.search(r"\b(ld|st)\.(b32|f32)", ptx)


def test_arithmetic_is_ieee(ptx_toolchain: Toolchain):
    ptx = body(ptx_toolchain, "out[i] = sqrt(x[i]) / x[i + 1];")
    assert "sqrt.rn.f32" in ptx and "div.rn.f32" in ptx
    assert ".ftz" not in ptx and ".approx" not in ptx


def test_limit_of_threads_is_kept(ptx_toolchain: Toolchain):
    source = f"{HEAD}[[max_total_threads_per_threadgroup(256)]] kernel void k(device int* x) {{ x[0] = 1; }}"
    assert "kw_max_threads_0 = 256;" in compiled(ptx_toolchain, source)[1]


def test_one_kernel_of_many(ptx_toolchain: Toolchain):
    source = ADD + ADD.replace("add(", "sub(").replace("a[i] +", "a[i] -").replace("#include <metal_stdlib>", "")
    program = build(source, backend=PtxBuilder(ptx_toolchain, "sm_90"), kernels=["sub"])
    ptx = program.library.read_text()
    assert [kernel.host_name for kernel in program.kernels] == ["sub"]
    assert re.findall(r"\.entry (\w+)\(", ptx) == ["kw_kernel_0"]
    assert "sub.rn.f32" in ptx and "add.rn.f32" not in ptx


def test_errors_are_the_users(ptx_toolchain: Toolchain):
    with pytest.raises(MetalCompileError) as caught:
        compiled(ptx_toolchain, ADD.replace("a[i] +", "a[i] + missing +"), file="add.metal")
    assert caught.value.errors[0].place.line == 6


def test_a_call_that_nothing_answers_is_refused(ptx_toolchain: Toolchain, tmp_path: Path):
    text = "float gone(float); static void f(float* x) { *x = gone(*x); }"
    text += ' KW_KERNEL(0, "f", (&f), 0, false, {KW_BUFFER, 0})'
    with pytest.raises(CompilerFailed, match=r"PTX calls what no GPU has: .*gone"):
        PtxBuilder(ptx_toolchain, "sm_90").program(text, tmp_path)


def test_programs_are_kept(ptx_toolchain: Toolchain):
    first, again = (compiled(ptx_toolchain, ADD)[0] for _ in range(2))
    assert first.library == again.library
    assert compiled(ptx_toolchain, ADD, "sm_80")[0].library != first.library
    assert build(ADD).library.name == "program.so"
