"""Whole kernels from source to numbers, in both modes and in every order of threads."""

from typing import Any

import pytest
import torch
from metal_programs import ADD, MATMUL, SOFTMAX

from kernelwright.metal import compile_shader
from kernelwright.metal.toolchain import Toolchain

ORDERS = [("ascending", 0), ("descending", 0), ("shuffled", 1), ("shuffled", 2)]


@pytest.fixture(scope="module", params=[False, True], ids=["fast", "checked"])
def compiled(request: pytest.FixtureRequest, toolchain: Toolchain) -> Any:
    return lambda source, **more: compile_shader(source, check=request.param, **more)


@pytest.mark.parametrize("size", [1, 31, 1024, 5000])
def test_add(compiled: Any, size: int):
    a, b, out = torch.randn(size), torch.randn(size), torch.zeros(size)
    compiled(ADD).add(a, b, out)
    assert torch.equal(out, a + b)


@pytest.mark.parametrize(("order", "seed"), ORDERS)
@pytest.mark.parametrize("size", [32, 128, 1024])
def test_softmax_with_simd_reductions(compiled: Any, order: str, seed: int, size: int):
    x, y = torch.randn(7, 1000), torch.zeros(7, 1000)
    compiled(SOFTMAX).softmax(x, y, 1000, threads=7 * size, group_size=size, arg_casts="int32", order=order, seed=seed)
    torch.testing.assert_close(y, torch.softmax(x, -1))


@pytest.mark.parametrize(("order", "seed"), ORDERS)
@pytest.mark.parametrize(("m", "n", "k"), [(16, 16, 16), (40, 33, 50)])
def test_tiled_matmul(compiled: Any, order: str, seed: int, m: int, n: int, k: int):
    a, b, c = torch.randn(m, k), torch.randn(k, n), torch.zeros(m, n)
    threads = [-(-n // 16) * 16, -(-m // 16) * 16]
    kernel = compiled(MATMUL).matmul
    kernel(a, b, c, [m, n, k, 0], threads=threads, group_size=[16, 16], arg_casts="int32", order=order, seed=seed)
    torch.testing.assert_close(c, a @ b)
    assert kernel.static_thread_group_memory_length == 2 * 16 * 16 * 4


def test_function_constants(compiled: Any):
    source = """
#include <metal_stdlib>
using namespace metal;
constant int factor [[function_constant(0)]];
constant bool negative [[function_constant(1)]];
kernel void scale(device float* x, uint i [[thread_position_in_grid]]) { x[i] *= negative ? -factor : factor; }
"""
    x = torch.ones(4)
    compiled(source, constants={"factor": 3, 1: True}).scale(x)
    assert x.tolist() == [-3.0] * 4


def test_a_program_of_two_sources_in_one_process(compiled: Any):
    twice, thrice = (ADD.replace("a[i] + b[i]", f"{n} * a[i]") for n in (2, 3))
    x, out = torch.randn(8), torch.zeros(8)
    for source, factor in ((twice, 2), (thrice, 3), (twice, 2)):
        compiled(source).add(x, x, out)
        assert torch.equal(out, factor * x)


def test_torchs_own_headers(compiled: Any):
    source = """
#include <c10/metal/utils.h>
kernel void exclaim(device float* x, uint i [[thread_position_in_grid]]) { x[i] = c10::metal::max(x[i], 0.5f); }
"""
    x = torch.tensor([0.0, 1.0])
    compiled(source).exclaim(x)
    assert x.tolist() == [0.5, 1.0]


SCALES = """
#include <metal_stdlib>
using namespace metal;
template <typename T> kernel void scale(device T* x, uint i [[thread_position_in_grid]]) { x[i] *= 2; }
template [[host_name("scale_float")]] kernel void scale<float>(device float*, uint);
template [[host_name("scale_half")]] kernel void scale<half>(device half*, uint);
kernel void negate(device float* x, uint i [[thread_position_in_grid]]) { x[i] = -x[i]; }
"""


@pytest.mark.parametrize("wanted", [["scale_half"], ["negate", "scale_float"], []])
def test_only_the_kernels_that_are_asked_for(compiled: Any, wanted: list[str]):
    library = compiled(SCALES, kernels=wanted)
    assert dir(library) == sorted(wanted)
    for name in wanted:
        x = torch.ones(4, dtype=torch.float16 if name == "scale_half" else torch.float32)
        getattr(library, name)(x)
        assert x.tolist() == [-1.0 if name == "negate" else 2.0] * 4


def test_a_kernel_that_is_asked_for_and_not_there(compiled: Any):
    with pytest.raises(ValueError, match="the program has no kernel scale_double"):
        compiled(SCALES, kernels=["scale_float", "scale_double"])
