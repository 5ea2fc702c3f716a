"""``check=True``: what breaks a rule is reported with the user's lines and names, and hits nothing else."""

import pytest
import torch
from metal_programs import ADD

from kernelwright.metal import MetalCheckError, Report, ReportKind, compile_shader
from kernelwright.metal.toolchain import Toolchain

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"


def reports_of(body: str, *tensors: torch.Tensor, **call: object) -> tuple[Report, ...]:
    source = f"{HEAD}kernel void k(device float* out, device const float* x, uint i [[thread_position_in_grid]]) {{\n"
    library = compile_shader(f"{source}{body}\n}}\n", check=True, file="mine.metal")
    with pytest.raises(MetalCheckError) as caught:
        library.k(*tensors, **call)
    return caught.value.reports


def test_reading_past_the_end(toolchain: Toolchain):
    x, out = torch.ones(64), torch.zeros(64)
    (report, *_) = reports_of("  float here = 1;\n  out[i] = here + x[i + 1];", out, x)
    assert report.kind is ReportKind.OUT_OF_BOUNDS
    assert (report.file, report.line) == ("mine.metal", 5)
    assert (report.buffer, report.argument) == (1, "x")
    assert (report.thread, report.threadgroup) == (63, (0, 0, 0))
    assert report.message == "read of 4 bytes at byte 256 of buffer 1 (x), which has 256"


def test_writing_far_away_hits_nothing(toolchain: Toolchain):
    x, out = torch.ones(64), torch.zeros(64)
    reports = reports_of("  out[i * 100000000ul] = x[i];", out, x)
    assert any(report.kind is ReportKind.OUT_OF_BOUNDS and report.line == 4 for report in reports)
    assert x.tolist() == [1.0] * 64


def test_what_lies_between_a_views_elements_and_the_storages_end_is_not_its_own(toolchain: Toolchain):
    whole = torch.zeros(64)
    reports = reports_of("  out[i + 1] = x[i];", whole[:32], torch.ones(32))
    assert reports[0].kind is ReportKind.OUT_OF_BOUNDS
    assert whole[32:].tolist() == [0.0] * 32


def test_a_tensor_given_twice_is_one_buffer(toolchain: Toolchain):
    x = torch.arange(8.0)
    compile_shader(ADD, check=True).add(x, x, x)
    assert x.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]


def test_what_ran_before_the_problem_is_kept(toolchain: Toolchain):
    out = torch.zeros(64)
    reports_of("  out[i] = 1;\n  if (i == 0) out[64] = 2;", out, torch.ones(64))
    assert out.tolist() == [1.0] * 64


def test_lines_of_races_have_their_other_side(toolchain: Toolchain):
    body = "  threadgroup float tile[64];\n  tile[i] = x[i];\n  out[i] = tile[63 - i];"
    reports = [r for r in reports_of(body, torch.zeros(64), torch.ones(64)) if r.kind is ReportKind.RACE]
    assert reports
    assert {reports[0].line, reports[0].other_line} == {5, 6}
    assert reports[0].argument == "tile"
    assert reports[0].buffer is None
    assert "no barrier" in reports[0].message


def test_accesses_in_our_headers_count_to_the_users_line(toolchain: Toolchain):
    body = "  float4 v = ((device const float4*)x)[i];\n  out[i] = v.x + dot(v, v);"
    reports = reports_of(body, torch.zeros(64), torch.ones(64))
    assert {(r.file, r.line) for r in reports} == {("mine.metal", 4)}


def test_good_kernels_stay_silent_after_bad_ones(toolchain: Toolchain):
    reports_of("  out[i + 1] = x[i];", torch.zeros(64), torch.ones(64))
    a = torch.ones(64)
    out = torch.zeros(64)
    compile_shader(ADD, check=True).add(a, a, out)
    assert out.tolist() == [2.0] * 64


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("  int zero = int(x[i]) - 1;\n  out[i] = 5 / zero;", ReportKind.DIVISION, "an integer is divided by zero"),
        (
            "  float a[4] = {1, 2, 3, 4};\n  out[i] = a[int(x[i]) + 6];",
            ReportKind.OUT_OF_BOUNDS,
            "index 7 is outside of ",
        ),
        (
            "  \n  out[i] = simd_shuffle(x[i], ushort(i + 1));",
            ReportKind.SHUFFLE,
            "simd_shuffle asks for the value of ",
        ),
        (
            "  if (i < 40)\n    threadgroup_barrier(mem_flags::mem_threadgroup);\n  out[i] = x[i];",
            ReportKind.DIVERGENCE,
            "not all threads reach this threadgroup_barrier: others have ended",
        ),
        (
            "  threadgroup float t[64];\n  out[i] = t[i];",
            ReportKind.UNINITIALIZED,
            "of threadgroup memory t, before any thread has written it",
        ),
        (
            "  device const float* p = x + 1;\n  out[i] = ((device const float4*)p)[0].x;",
            ReportKind.MISALIGNED,
            "read of 16 bytes at byte 4 of buffer 1 (x), which has 256: the address is not a multiple of",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, ReportKind) else "",
)
def test_every_kind_says_what_happened(body: str, kind: ReportKind, message: str, toolchain: Toolchain):
    report = next(r for r in reports_of(body, torch.zeros(64), torch.ones(64)) if r.kind is kind)
    assert report.line == 5
    assert message in report.message
