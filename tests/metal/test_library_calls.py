"""The calling convention of torch.mps.compile_shader: arguments, sizes, errors, properties."""

from typing import Any

import pytest
import torch
from metal_programs import ADD

from kernelwright.metal import compile_shader
from kernelwright.metal.arguments import bind, extent_of
from kernelwright.metal.guarded import merged
from kernelwright.metal.launch import Extent
from kernelwright.metal.toolchain import Toolchain

POSITIONS = """\
#include <metal_stdlib>
using namespace metal;
kernel void index(device uint* out, uint i [[thread_position_in_grid]]) { out[i] = i; }
kernel void group(device uint* out, uint i [[thread_position_in_grid]], uint g [[threadgroup_position_in_grid]]) {
  out[i] = g;
}
kernel void plane(device uint* out, uint2 i [[thread_position_in_grid]], uint2 n [[threads_per_grid]],
                  uint2 size [[threads_per_threadgroup]]) { out[i.y * n.x + i.x] = size.x * 1000 + size.y; }
kernel void space(device uint* out, uint3 i [[thread_position_in_grid]], uint3 n [[threads_per_grid]]) {
  out[(i.z * n.y + i.y) * n.x + i.x] = i.x + 10 * i.y + 100 * i.z;
}
[[max_total_threads_per_threadgroup(64)]]
kernel void small(device uint* out, uint i [[thread_position_in_grid]], uint size [[threads_per_threadgroup]]) {
  out[i] = size;
}
template <typename T>
kernel void keep(device T* out, constant T* value, uint i [[thread_position_in_grid]]) { out[i] = value[i]; }
template [[host_name("keep_long")]] kernel void keep<long>(device long*, constant long*, uint);
template [[host_name("keep_float")]] kernel void keep<float>(device float*, constant float*, uint);
template [[host_name("keep_half")]] kernel void keep<half>(device half*, constant half*, uint);
template [[host_name("keep_bfloat")]] kernel void keep<bfloat>(device bfloat*, constant bfloat*, uint);
template [[host_name("keep_int")]] kernel void keep<int>(device int*, constant int*, uint);
template [[host_name("keep_short")]] kernel void keep<short>(device short*, constant short*, uint);
template [[host_name("keep_char")]] kernel void keep<char>(device char*, constant char*, uint);
template [[host_name("keep_uchar")]] kernel void keep<uchar>(device uchar*, constant uchar*, uint);
"""


@pytest.fixture(scope="module")
def library(toolchain: Toolchain) -> Any:
    return compile_shader(POSITIONS)


def test_threads_are_the_first_tensors_elements(library: Any):
    out = torch.full((5, 7), 99, dtype=torch.int32)
    library.index(out)
    assert out.flatten().tolist() == list(range(35))


@pytest.mark.parametrize("threads", [10, [10], (10,)])
def test_threads_are_a_number_or_a_list(library: Any, threads: Any):
    out = torch.zeros(12, dtype=torch.int32)
    library.group(out, threads=threads, group_size=4)
    assert out.tolist() == [0] * 4 + [1] * 4 + [2] * 2 + [0] * 2


def test_two_and_three_directions(library: Any):
    out = torch.zeros(5, 20, dtype=torch.int32)
    library.plane(out, threads=[20, 5], group_size=[8, 4])
    assert out[0, 0] == 8004
    assert out[4, 19] == 4001  # what is left over is a smaller threadgroup
    library.plane(out, threads=(20, 5))
    assert out[0, 0] == 20001  # torch.mps: as many threads as there can be, in one direction
    cube = torch.zeros(2, 3, 4, dtype=torch.int32)
    library.space(cube, threads=(4, 3, 2), group_size=(2, 2, 2))
    assert cube[1, 2, 3] == 3 + 20 + 100
    assert cube[0, 1, 0] == 10


def test_nothing_runs_over_no_threads(library: Any):
    library.index(torch.zeros(0, dtype=torch.int32))
    library.index(torch.zeros(4, dtype=torch.int32), threads=0)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ({"threads": [1, 1, 1, 1]}, RuntimeError, "wrong dimension"),
        ({"threads": []}, RuntimeError, "wrong dimension"),
        ({"threads": 4.0}, RuntimeError, "Unable to cast"),
        ({"threads": -1}, RuntimeError, "Unable to cast"),
        ({"threads": [4, 1], "group_size": 4}, RuntimeError, "same number of dimensions"),
        ({"threads": 4, "group_size": 1025}, ValueError, "Threadgroup size exceeds 1024 limit"),
        ({"threads": [4, 4], "group_size": [64, 32]}, ValueError, "Threadgroup size exceeds 1024 limit"),
        ({"threads": 4, "group_size": 0}, ValueError, "positive"),
        ({"arg_casts": 3}, RuntimeError, "Unexpected caster arg type int"),
        ({"nothing": 3}, TypeError, "unexpected keyword"),
    ],
)
def test_wrong_calls(library: Any, call: dict[str, Any], error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        library.index(torch.zeros(4, dtype=torch.int32), **call)


def test_the_kernels_own_limit_counts(library: Any):
    out = torch.zeros(200, dtype=torch.int32)
    library.small(out)
    assert out.tolist() == [64] * 192 + [8] * 8
    assert library.small.max_threads_per_threadgroup == 64
    with pytest.raises(ValueError, match="exceeds 64 limit"):
        library.small(out, group_size=128, threads=200)


def test_properties(library: Any):
    assert library.index.max_threads_per_threadgroup == 1024
    assert library.index.thread_execution_width == 32
    assert library.index.static_thread_group_memory_length == 0


def test_no_threads_without_a_tensor(library: Any):
    with pytest.raises(RuntimeError, match="Number of threads is undefined"):
        library.index(4)


def test_missing_buffers_are_named(library: Any):
    with pytest.raises(RuntimeError, match=r"buffer 1 \(value\)"):
        library.keep_float(torch.zeros(4))


@pytest.mark.parametrize(
    ("name", "dtype", "value", "casts"),
    [
        ("keep_long", torch.int64, 1 << 40, None),
        ("keep_long", torch.int64, True, None),
        ("keep_float", torch.float32, 1.5, None),
        ("keep_half", torch.float16, 1.5, "fp16"),
        ("keep_bfloat", torch.bfloat16, 1.5, {1: "bf16"}),
        ("keep_int", torch.int32, -7, {1: "int32"}),
        ("keep_int", torch.int32, (1 << 32) + 7, "int32"),
        ("keep_int", torch.int32, 7.9, "int32"),
        ("keep_short", torch.int16, -300, "int16"),
        ("keep_char", torch.int8, -5, "int8"),
        ("keep_uchar", torch.uint8, 255, "uint8"),
        ("keep_half", torch.float16, 3, "fp16"),
    ],
)
def test_numbers(library: Any, name: str, dtype: torch.dtype, value: Any, casts: Any):
    out = torch.zeros(1, dtype=dtype)
    getattr(library, name)(out, value, arg_casts=casts)
    expected = (int(value) + (1 << 31)) % (1 << 32) - (1 << 31) if casts and "int32" in str(casts) else value
    assert out.item() == expected


def test_lists_of_numbers(library: Any):
    out = torch.zeros(3)
    library.keep_float(out, [1.5, 2, 3.5])
    assert out.tolist() == [1.5, 2.0, 3.5]
    whole = torch.zeros(3, dtype=torch.int16)
    library.keep_short(whole, (1, 2, 3), arg_casts={1: "int16"})
    assert whole.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("value", "casts", "error", "said"),
    [
        ([], None, RuntimeError, "Empty list/tuple can not be an argument to metal kernel"),
        ("text", None, RuntimeError, "Unsupported argument type"),
        (["text"], None, RuntimeError, "Unexpected argument types"),
        ([1, "text"], None, RuntimeError, "Unable to cast"),
        (1, "int64", RuntimeError, "Unsupported cast instruction int64"),
        (torch.zeros(4, dtype=torch.float64), None, TypeError, "float64"),
        (torch.zeros(4, device="meta"), None, RuntimeError, "device meta"),
    ],
)
def test_wrong_arguments(value: Any, casts: Any, error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        bind([torch.zeros(4), value], casts)


def test_double_scalars_arrive_as_floats(library: Any):
    out = torch.zeros(1)
    library.keep_float(out, torch.tensor(2.5, dtype=torch.float64))
    assert out.item() == 2.5


def test_views_start_where_they_start(toolchain: Toolchain):
    library = compile_shader(ADD)
    whole = torch.arange(12.0)
    out = torch.zeros(4)
    library.add(whole[4:8], whole[8:], out)
    assert out.tolist() == [12.0, 14.0, 16.0, 18.0]


def test_extents_reach_to_the_last_element():
    x = torch.zeros(10, 10)
    assert extent_of(x[2:4, 3:5]) == Extent(x.data_ptr() + 23 * 4, 12 * 4, 23 * 4)
    assert extent_of(x[:, 0]).bytes == 91 * 4
    assert extent_of(x[:0]).bytes == 0


def test_overlapping_extents_are_copied_together():
    assert merged([Extent(100, 10), Extent(105, 20), Extent(125, 5), Extent(100, 10)]) == [
        Extent(100, 25),
        Extent(125, 5),
    ]


LISTS = """\
#include <metal_stdlib>
using namespace metal;
kernel void sum(device float* out, constant ulong* tensors, constant long& n, uint i [[thread_position_in_grid]]) {
  float total = 0;
  for (long k = 0; k < n; ++k) total += ((device const float*)tensors[k])[i];
  out[i] = total;
}
"""


@pytest.mark.parametrize("check", [False, True])
def test_lists_of_tensors_are_lists_of_addresses(check: bool, toolchain: Toolchain):
    library = compile_shader(LISTS, check=check)
    tensors = [torch.full((8,), float(k)) for k in range(5)]
    out = torch.zeros(8)
    library.sum(out, tensors, 5)
    assert out.tolist() == [10.0] * 8


def test_threadgroup_memory_that_torch_cannot_give(toolchain: Toolchain):
    source = """
#include <metal_stdlib>
using namespace metal;
kernel void turn(device float* x, threadgroup float* tile [[threadgroup(0)]], uint i [[thread_index_in_threadgroup]],
                 uint n [[threads_per_threadgroup]]) {
  tile[i] = x[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  x[i] = tile[n - 1 - i];
}
"""
    library = compile_shader(source)
    x = torch.arange(8.0)
    with pytest.raises(RuntimeError, match=r"threadgroup memory 0 \(tile\) has no size"):
        library.turn(x)
    library.turn(x, threadgroup_bytes={0: 32})
    assert x.tolist() == [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]


def test_what_a_kernel_reports_is_raised(toolchain: Toolchain):
    source = """
#include <c10/metal/error.h>
kernel void complain(device float* x, device c10::metal::ErrorMessages* errors, uint i [[thread_position_in_grid]]) {
  if (i == 3) { TORCH_REPORT_ERROR(errors, "element ", 3, " is wrong"); return; }
  x[i] = 1;
}
"""
    library = compile_shader(source)
    x = torch.zeros(8)
    with pytest.raises(torch.AcceleratorError, match="element 3 is wrong"):
        library.complain(x, error_buf_idx=1)
    assert x.tolist() == [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    library.complain(x[:3], error_buf_idx=1)
