"""Coalescing and bank conflicts of each access, against figures worked out by hand."""

from typing import Any

import pytest
import torch

from kernelwright import metal
from kernelwright.metal import AccessWork

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
pytestmark = pytest.mark.usefixtures("toolchain")


def accesses_of(parameters: str, body: str, *arguments: Any, **call: Any) -> dict[tuple[str, bool], AccessWork]:
    """By name and whether it writes; each of them is one line."""
    source = f"{HEAD}kernel void k({parameters}) {{\n{body}\n}}\n"
    inspection = metal.compile_shader(source, check=True).k.inspect(*arguments, **call)
    assert inspection.reports == ()
    found = {(access.name, access.write): access for access in inspection.work.accesses}
    assert len(found) == len(inspection.work.accesses)
    return found


def figures(access: AccessWork) -> tuple[int, int, int, int]:
    return access.accesses, access.bytes, access.transactions, access.ideal_transactions


COPY = "device float* out, device const float* x, uint i [[thread_position_in_grid]]"


@pytest.mark.parametrize(("stride", "segments"), [(1, 1), (2, 2), (8, 8), (32, 32), (64, 32)])
def test_a_stride_touches_more_segments(stride: int, segments: int):
    found = accesses_of(COPY, f"  out[i] = x[i * {stride}];", torch.zeros(64), torch.ones(64 * stride), threads=64)
    assert figures(found["x", False]) == (64, 256, 2 * segments, 2)
    assert figures(found["out", True]) == (64, 256, 2, 2)
    assert found["x", False].efficiency == 1 / segments
    assert found["x", False].line == 4
    assert (found["x", False].space, found["x", False].buffer) == ("device", 1)


def test_a_shifted_access_touches_one_segment_more():
    found = accesses_of(COPY, "  out[i] = x[i + 1];", torch.zeros(32), torch.ones(33), threads=32)
    assert figures(found["x", False]) == (32, 128, 2, 1)


def test_the_same_address_for_all_is_one_segment():
    found = accesses_of(COPY, "  out[i] = x[5];", torch.zeros(32), torch.ones(33), threads=32)
    assert figures(found["x", False]) == (32, 128, 1, 1)


def test_lanes_that_return_early_take_no_part():
    found = accesses_of(
        COPY, "  if (i >= 40) return;\n  out[i] = x[i * 32];", torch.zeros(64), torch.ones(2048), threads=64
    )
    assert figures(found["x", False]) == (40, 160, 40, 2)


@pytest.mark.parametrize(
    ("type_name", "dtype", "bytes_each"),
    [
        ("float4", torch.float32, 16),
        ("half4", torch.float16, 8),
        ("packed_float4", torch.float32, 16),
        ("uchar2", torch.uint8, 2),
    ],
)
def test_a_vector_is_one_access(type_name: str, dtype: torch.dtype, bytes_each: int):
    parameters = f"device {type_name}* out, device const {type_name}* x, uint i [[thread_position_in_grid]]"
    tensors = [torch.zeros(256, dtype=dtype) for _ in range(2)]
    found = accesses_of(parameters, "  out[i] = x[i];", *tensors, threads=32)
    segments = max(1, 32 * bytes_each // 128)
    assert figures(found["x", False]) == (32, 32 * bytes_each, segments, segments)
    assert figures(found["out", True]) == (32, 32 * bytes_each, segments, segments)


def test_operands_of_vector_arithmetic_are_accesses_of_their_own():
    parameters = (
        "device float4* out, device const float4* x, device const float4* y, uint i [[thread_position_in_grid]]"
    )
    tensors = [torch.zeros(128) for _ in range(3)]
    found = accesses_of(parameters, "  out[i] = x[i] * 2 + y[31 - i];", *tensors, threads=32)
    assert figures(found["x", False]) == (32, 512, 4, 4)
    assert figures(found["y", False]) == (32, 512, 4, 4)
    assert figures(found["out", True]) == (32, 512, 4, 4)


def test_the_iterations_of_a_loop_are_accesses_of_their_own():
    body = "  float sum = 0;\n  for (int j = 0; j < 4; ++j)\n    sum += x[4 * i + j];\n  out[i] = sum;"
    found = accesses_of(COPY, body, torch.zeros(32), torch.ones(128), threads=32)
    assert figures(found["x", False]) == (128, 512, 4 * 4, 4 * 1)  # four times 32 words, each 16 bytes from the next


def test_of_long_loops_a_part_stands_for_all():
    body = "  float sum = 0;\n  for (int j = 0; j < 1000; ++j)\n    sum += x[2 * i + 64 * j];\n  out[i] = sum;"
    found = accesses_of(COPY, body, torch.zeros(32), torch.ones(64 * 1000), threads=32)
    assert figures(found["x", False]) == (32000, 128000, 2000, 1000)


def test_a_part_of_a_loop_is_spread_over_all_of_it():
    # the first half of the iterations is coalesced, of the second half each lane has a segment of its own
    body = "  float sum = 0;\n  for (uint j = 0; j < 1024; ++j)\n    sum += x[j < 512 ? i : 32 * i];\n  out[i] = sum;"
    found = accesses_of(COPY, body, torch.zeros(32), torch.ones(1024), threads=32)
    assert figures(found["x", False]) == (32768, 131072, 512 * 1 + 512 * 32, 1024)


TRANSPOSE = """\
  threadgroup float tile[32][{width}];
  tile[at.y][at.x] = x[at.y * 32 + at.x];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[at.y * 32 + at.x] = tile[at.x][at.y];"""


@pytest.mark.parametrize(("width", "cycles"), [(32, 32), (33, 1)])
def test_padding_frees_a_transposition_of_bank_conflicts(width: int, cycles: int):
    parameters = "device float* out, device const float* x, uint2 at [[thread_position_in_threadgroup]]"
    tensors = torch.zeros(32, 32), torch.ones(32, 32)
    found = accesses_of(parameters, TRANSPOSE.format(width=width), *tensors, threads=(32, 32), group_size=(32, 32))
    assert figures(found["tile", True]) == (1024, 4096, 32, 32)
    assert figures(found["tile", False]) == (1024, 4096, 32 * cycles, 32)
    assert (found["tile", False].space, found["tile", False].buffer, found["tile", False].line) == (
        "threadgroup",
        None,
        7,
    )


@pytest.mark.parametrize(("index", "cycles"), [("2 * i", 2), ("3 * i", 1), ("16 * i", 16), ("0", 1), ("i / 2", 1)])
def test_bank_cycles_of_strides(index: str, cycles: int):
    body = f"""\
  threadgroup float t[512];
  for (int j = 0; j < 16; ++j) t[i + 32 * j] = x[i];
  simdgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = t[{index}];"""
    found = accesses_of(COPY, body, torch.zeros(32), torch.ones(32), threads=32)
    assert figures(found["t", False]) == (32, 128, cycles, 1)


def test_wide_words_need_more_cycles():
    body = "  threadgroup float4 t[32];\n  t[i] = x[i];\n  out[i] = t[i].y;"
    found = accesses_of(COPY, body, torch.zeros(32), torch.ones(32), threads=32)
    assert figures(found["t", True]) == (32, 512, 4, 4)


def test_a_simdgroup_matrix_is_loaded_in_rows():
    parameters = "device const float* a, device float* c"
    body = "  simdgroup_float8x8 m;\n  simdgroup_load(m, a, 64);\n  simdgroup_store(m, c, 8);"
    found = accesses_of(parameters, body, torch.ones(8 * 64), torch.zeros(64), threads=32)
    assert figures(found["a", False]) == (32, 256, 8, 2)  # eight rows, 256 bytes apart
    assert figures(found["c", True]) == (32, 256, 2, 2)


def test_the_order_of_threads_does_not_matter():
    for order in ("descending", "shuffled"):
        found = accesses_of(COPY, "  out[i] = x[i * 2];", torch.zeros(64), torch.ones(128), threads=64, order=order)
        assert figures(found["x", False]) == (64, 256, 4, 2)


def test_memory_that_the_caller_sizes_has_its_arguments_name():
    parameters = f"{COPY}, threadgroup float* tile [[threadgroup(0)]]"
    body = "  tile[i * 2] = x[i];\n  out[i] = x[i];"
    tensors = torch.zeros(32), torch.ones(32)
    source = f"{HEAD}kernel void k({parameters}) {{\n{body}\n}}\n"
    work = metal.compile_shader(source, check=True).k.inspect(*tensors, threads=32, threadgroup_bytes={0: 256}).work
    (tile,) = (access for access in work.accesses if access.space == "threadgroup")
    assert (tile.name, tile.line, figures(tile)) == ("tile", 4, (32, 128, 2, 1))
    assert work.threadgroup_memory == 256
