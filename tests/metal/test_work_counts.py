"""Counted work against figures worked out by hand: bytes, barriers, simd operations, atomics, FLOPs."""

import re
from typing import Any

import pytest
import torch
from metal_programs import ADD, MATMUL, SOFTMAX

from kernelwright import metal
from kernelwright.metal import KernelWork, counting, flops
from kernelwright.metal.preprocess import HEADERS

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
PARAMETERS = "device float* out, device const float* x, uint i [[thread_position_in_grid]]"
pytestmark = pytest.mark.usefixtures("toolchain")


def work_of(source: str, *arguments: Any, kernel: str = "k", **call: Any) -> KernelWork:
    """Of a kernel that breaks no rule."""
    inspection = getattr(metal.compile_shader(source, check=True), kernel).inspect(*arguments, **call)
    assert inspection.reports == ()
    return inspection.work


def work_of_body(body: str, threads: int = 64, **call: Any) -> KernelWork:
    tensors = torch.zeros(threads), torch.ones(threads)
    return work_of(f"{HEAD}kernel void k({PARAMETERS}) {{\n{body}\n}}\n", *tensors, threads=threads, **call)


def test_adding_a_thousand_elements():
    a, b, out = torch.ones(1000), torch.ones(1000), torch.zeros(1000)
    work = work_of(ADD, a, b, out, kernel="add", threads=1000, group_size=64)
    assert [(buffer.name, buffer.read_bytes, buffer.written_bytes) for buffer in work.buffers] == [
        ("a", 4000, 0),
        ("b", 4000, 0),
        ("out", 0, 4000),
    ]
    assert (work.kernel, work.grid, work.group, work.groups, work.groups_run) == (
        "add",
        (1000, 1, 1),
        (64, 1, 1),
        16,
        16,
    )
    assert (work.flops, work.barriers, work.simd_operations, work.atomics, work.threadgroup_memory) == (
        1000,
        0,
        0,
        0,
        0,
    )
    assert work.device_bytes == work.distinct_device_bytes == 12000
    assert work.arithmetic_intensity == 1000 / 12000


def test_nothing_is_written_back():
    out = torch.zeros(1000)
    work_of(ADD, torch.ones(1000), torch.ones(1000), out, kernel="add")
    assert out.tolist() == [0.0] * 1000


def test_adding_to_memory_reads_it_too():
    work = work_of_body("  out[i] += x[i];")
    assert [(buffer.read_bytes, buffer.written_bytes) for buffer in work.buffers] == [(256, 256), (256, 0)]


def test_what_is_read_often_has_its_bytes_once():
    work = work_of_body("  float sum = 0;\n  for (int j = 0; j < 4; ++j) sum += x[j];\n  out[i] = sum;")
    assert (work.buffers[1].read_bytes, work.buffers[1].distinct_read_bytes) == (64 * 16, 16)
    assert work.flops == 64 * 4


def test_constant_memory_is_not_device_memory():
    source = f"{HEAD}kernel void k(device float* out, constant float& f, uint i [[thread_position_in_grid]]) {{\n"
    work = work_of(source + "  out[i] = f;\n}\n", torch.zeros(64), 2.0)
    assert [(buffer.space, buffer.read_bytes) for buffer in work.buffers] == [("device", 0), ("constant", 256)]
    assert (work.device_bytes, work.distinct_device_bytes) == (256, 260)


def test_a_reduction_with_barriers_and_simd_sums():
    source = f"""{HEAD}
kernel void k({PARAMETERS}, uint t [[thread_position_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
              uint simd [[simdgroup_index_in_threadgroup]], uint g [[threadgroup_position_in_grid]]) {{
  threadgroup float partial[4];
  float sum = simd_sum(x[i]);
  if (lane == 0) partial[simd] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (simd == 0) {{
    sum = simd_sum(lane < 4 ? partial[lane] : 0.0f);
    if (lane == 0) out[g] = sum;
  }}
}}
"""
    work = work_of(source, torch.zeros(3), torch.ones(384), threads=384, group_size=128)
    assert (work.groups, work.barriers) == (3, 3)
    assert work.simd_operations == 3 * (4 + 1)
    assert (work.threadgroup_written, work.threadgroup_read, work.threadgroup_memory) == (3 * 16, 3 * 16, 16)
    assert work.flops == 3 * (4 + 1) * 31
    assert (work.buffers[0].written_bytes, work.buffers[1].read_bytes) == (12, 1536)


def test_atomics_read_and_write():
    source = f"{HEAD}kernel void k(device atomic_uint* n, uint i [[thread_position_in_grid]]) {{\n"
    work = work_of(
        source + "  atomic_fetch_add_explicit(n, 1u, memory_order_relaxed);\n}\n",
        torch.zeros(1, dtype=torch.int32),
        threads=100,
    )
    assert work.atomics == 100
    assert (work.buffers[0].read_bytes, work.buffers[0].written_bytes) == (400, 400)
    assert [(access.line, access.write, access.accesses, access.bytes) for access in work.accesses] == [
        (4, True, 100, 400)
    ]


def test_a_matrix_product_has_two_operations_for_each_multiplication():
    m, n, k = 20, 24, 36  # tiles of 16: padding multiplies zeros, and is executed
    sizes = [m, n, k]
    tensors = torch.ones(m, k), torch.ones(k, n), torch.zeros(m, n)
    work = work_of(MATMUL, *tensors, sizes, kernel="matmul", threads=(32, 32), group_size=(16, 16), arg_casts="int32")
    assert work.flops == 2 * 32 * 32 * 48
    assert work.threadgroup_memory == 2 * 16 * 16 * 4
    plain = f"""{HEAD}
kernel void k(device const float* a, device const float* b, device float* c, uint2 at [[thread_position_in_grid]]) {{
  float sum = 0;
  for (int i = 0; i < {k}; ++i) sum += a[at.y * {k} + i] * b[i * {n} + at.x];
  c[at.y * {n} + at.x] = sum;
}}
"""
    assert work_of(plain, *tensors, threads=(n, m), group_size=(8, 4)).flops == 2 * m * n * k


def test_multiplying_simdgroup_matrices():
    source = f"""{HEAD}
kernel void k(device const half* a, device const half* b, device float* c) {{
  simdgroup_half8x8 left, right;
  simdgroup_float8x8 sum(0);
  simdgroup_load(left, a);
  simdgroup_load(right, b);
  simdgroup_multiply_accumulate(sum, left, right, sum);
  simdgroup_store(sum, c);
}}
"""
    work = work_of(source, torch.ones(64).half(), torch.ones(64).half(), torch.zeros(64), threads=32, group_size=32)
    assert work.flops == 2 * 8 * 8 * 8
    assert [buffer.read_bytes + buffer.written_bytes for buffer in work.buffers] == [128, 128, 256]


@pytest.mark.parametrize(
    ("expression", "operations"),
    [
        ("x[i] - 2", 1),
        ("3 * x[i] + 1", 2),
        ("fma(x[i], x[i], 1.0f)", 2),
        ("x[i] / 3 + 1", 2),
        ("exp(x[i])", 1),
        ("sqrt(x[i]) * tanh(x[i])", 3),
        ("pow(x[i], 1.5f)", 1),
        ("max(abs(-x[i]), floor(x[i]))", 0),
        ("x[i] > 2 ? x[i] : 1", 0),
        ("float(int(x[i]) * 3 + 4)", 0),
        ("half(x[i]) * half(2.5h)", 1),
        ("float(bfloat(x[i]) + bfloat(x[i]))", 1),
        ("dot(float4(x[i]), float4(2, 3, 4, 5))", 7),
    ],
)
def test_what_counts_as_an_operation(expression: str, operations: int):
    assert work_of_body(f"  out[i] = {expression};").flops == 64 * operations


def test_only_executed_operations_count():
    assert work_of_body("  if (i < 10) out[i] = x[i] * x[i] + 1;").flops == 20


def test_functions_of_a_softmax():
    x = torch.zeros(4, 1024)
    work = work_of(
        SOFTMAX, x, torch.zeros_like(x), 1024, kernel="softmax", threads=1024, group_size=256, arg_casts="int32"
    )
    each = 3 + 3  # a difference, its exponential, a sum; again a difference and an exponential, a quotient
    sums = 8 + 8  # in each of 8 SIMD-groups two of 31 additions
    assert work.flops == 4 * (1024 * each + 31 * sums)
    assert work.simd_operations == 4 * 8 * 4


def test_lines_of_code_that_clang_writes():
    assert flops.operations_of("  %49 = fadd float %46, %48, !dbg !225") == 1
    assert flops.operations_of("  %3 = fmul contract <8 x half> %1, %2") == 8
    assert flops.operations_of("  %93 = tail call float @llvm.fmuladd.f32(float %92, float %92, float %90)") == 2
    assert flops.operations_of("  %9 = call noundef <8 x float> @llvm.fma.v8f32(<8 x float> %1, <8 x float> %2)") == 16
    assert flops.operations_of("  %5 = tail call float @expf(float noundef %4) #5, !dbg !7") == 1
    assert flops.operations_of("  %5 = tail call float @llvm.exp2.f32(float %4)") == 1
    for none in (
        "  %5 = fcmp olt float %1, %2",
        "  %5 = fneg float %1",
        "  %5 = call float @llvm.fabs.f32(float %1)",
        "  %5 = phi float [ %1, %2 ], [ %3, %4 ]",
        "  %5 = add i32 %1, %2",
        "  call void @__tsan_read4(ptr %27), !dbg !225",
        "  %5 = call i32 @llvm.fptosi.sat.i32.f32(float %1)",
    ):
        assert flops.operations_of(none) == 0


def test_each_block_adds_its_operations_once():
    code = """\
define float @f(float %0, i1 %1) {
  %3 = fadd float %0, 1.000000e+00
  %4 = fmul float %3, %3
  br i1 %1, label %5, label %7

5:                                                ; preds = %2
  %6 = fdiv float %4, %0
  br label %7

7:                                                ; preds = %5, %2
  %8 = phi float [ %4, %2 ], [ %6, %5 ]
  ret float %8
}
"""
    counted = flops.counted(code).splitlines()
    added = [int(line.rsplit(", ", 1)[1]) for line in counted if " = add i64 " in line]
    assert added == [2, 1]
    assert counted.index("  %kw_flops.1 = load i64, ptr @kw_flops, align 8") == 1
    assert counted[-1] == "@kw_flops = external global i64"
    assert [line for line in counted if "kw_flops" not in line] == code.splitlines()


def test_numbers_of_counters_are_those_of_the_header():
    text = (HEADERS / "kw_abi.h").read_text()
    defined = {name: int(value) for name, value in re.findall(r"KW_COUNT_(\w+) = (\d+)", text)}
    assert {counter.name: counter.value for counter in counting.Counter} == defined


def test_no_threads_are_no_work():
    library = metal.compile_shader(ADD, check=True)
    inspection = library.add.inspect(torch.zeros(4), torch.zeros(4), torch.zeros(4), threads=0)
    assert (inspection.reports, inspection.work.groups, inspection.work.device_bytes) == ((), 0, 0)


def test_unchecked_libraries_cannot_be_inspected():
    library = metal.compile_shader(ADD)
    with pytest.raises(RuntimeError, match="compile its library with check=True"):
        library.add.inspect(torch.zeros(4), torch.zeros(4), torch.zeros(4))


def test_errors_of_arguments_are_those_of_a_call():
    add = metal.compile_shader(ADD, check=True).add
    with pytest.raises(RuntimeError, match=r"buffer 2 \(out\) was not given"):
        add.inspect(torch.zeros(4), torch.zeros(4))
    with pytest.raises(ValueError, match="exceeds 1024"):
        add.inspect(torch.zeros(4), torch.zeros(4), torch.zeros(4), threads=4, group_size=2048)


def test_broken_rules_are_reported_not_raised():
    library = metal.compile_shader(f"{HEAD}kernel void k({PARAMETERS}) {{\n  out[i] = x[i + 1];\n}}\n", check=True)
    inspection = library.k.inspect(torch.zeros(64), torch.ones(64))
    (report,) = inspection.reports
    assert (report.kind, report.line, report.thread) == (metal.ReportKind.OUT_OF_BOUNDS, 4, 63)
    assert inspection.work.groups_run == 1
    assert inspection.work.buffers[1].read_bytes == 63 * 4
    with pytest.raises(metal.MetalCheckError):
        library.k(torch.zeros(64), torch.ones(64))


def test_too_much_threadgroup_memory_raises():
    source = (
        f"{HEAD}kernel void k({PARAMETERS}, threadgroup float* t [[threadgroup(0)]]) {{\n  t[0] = out[i] = x[i];\n}}\n"
    )
    with pytest.raises(RuntimeError, match="a threadgroup needs 40000 bytes of threadgroup memory"):
        work_of(source, torch.zeros(4), torch.zeros(4), threadgroup_bytes={0: 40000})
