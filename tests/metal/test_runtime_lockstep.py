"""Kernels in lockstep and on fibers: the same bits."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lockstep_programs import random_program
from metal_programs import MATMUL, SOFTMAX
from sanitizer_corpus import Case, cases

from kernelwright import metal
from kernelwright.metal.build import LOCKSTEP

pytestmark = pytest.mark.usefixtures("toolchain")
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
WAITING = [case for case in cases("clean") if re.search(r"\bsimd_|quad_|simdgroup_|_barrier|atomic_load", case.source)]
ON_FIBERS = {
    "atomic_compare_exchange", "atomic_lock", "ballot_in_branch", "matmul_epilogue", "matmul_simdgroup",
    "matmul_simdgroup_half", "memory_in_function", "producer_and_consumer", "quads", "shuffles",
}  # fmt: skip
"""Clean kernels that wait in ways that lockstep does not know."""

Library = Any
BothWays = Callable[[str], tuple[Library, Library]]


@pytest.fixture
def both_ways(monkeypatch: pytest.MonkeyPatch) -> BothWays:
    """Compiles a source twice: with lockstep where that is possible, and on fibers."""

    def compiled(source: str) -> tuple[Library, Library]:
        monkeypatch.delenv(LOCKSTEP, raising=False)
        fast = metal.compile_shader(source)
        monkeypatch.setenv(LOCKSTEP, "0")
        return fast, metal.compile_shader(source)

    return compiled


def in_lockstep(library: Library, kernel: str) -> bool:
    return bool(getattr(library, kernel)._loaded._record.run_lockstep)


def bits(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """With one NaN for all of them: which one it is may depend on the order of operands, which compilers choose."""
    plain = [torch.where(x.isnan(), torch.nan, x) if x.is_floating_point() else x for x in tensors]
    return [x.contiguous().view(torch.uint8) for x in plain]


@pytest.mark.parametrize("case", WAITING, ids=lambda case: case.path.stem)
def test_clean_kernels_give_the_same_bits(case: Case, both_ways: BothWays) -> None:
    fast, slow = both_ways(case.source)
    assert not in_lockstep(slow, case.kernel)
    assert in_lockstep(fast, case.kernel) == (case.path.stem not in ON_FIBERS)
    results: list[list[torch.Tensor]] = []
    for library in (fast, slow):
        tensors = case.tensors()
        case.run(library, tensors)
        results.append(tensors)
    assert all(map(torch.equal, *map(bits, results)))


SHAPES = (((150,), (64,)), ((48, 4), (16, 4)), ((24, 3, 2), (12, 3, 2)), ((40,), (20,)))


@pytest.mark.parametrize("first", range(0, 12, 4))
def test_random_kernels_give_the_same_bits(first: int, both_ways: BothWays) -> None:
    fast, slow = both_ways(random_program(first, 4))
    values = torch.randn(96, generator=torch.Generator().manual_seed(first))
    ran = 0
    for name in (f"k{seed}" for seed in range(first, first + 4)):
        ran += in_lockstep(fast, name)
        for threads, group in SHAPES:
            for staying in (1000, 30):
                sizes = torch.tensor([37, 5, staying], dtype=torch.int32)
                results = [torch.zeros(2000), torch.zeros(2000)]
                for library, result in zip((fast, slow), results, strict=True):
                    getattr(library, name)(result, values, sizes, threads=threads, group_size=group)
                mine, other = bits(results)
                assert torch.equal(mine, other), f"{name}, {threads} threads in groups of {group}, {staying} stay"
    assert ran >= 3


@pytest.mark.parametrize("size", [32, 100, 256])
def test_softmax(size: int, both_ways: BothWays) -> None:
    x = torch.randn(8, 300)
    for library in both_ways(SOFTMAX):
        y = torch.zeros_like(x)
        library.softmax(x, y, 300, threads=8 * size, group_size=size, arg_casts="int32")
        torch.testing.assert_close(y, x.softmax(1))


def test_matmul(both_ways: BothWays) -> None:
    fast, slow = both_ways(MATMUL)
    assert in_lockstep(fast, "matmul") and not in_lockstep(slow, "matmul")
    a, b = torch.randn(50, 70), torch.randn(70, 40)
    sizes = torch.tensor([50, 40, 70, 0], dtype=torch.int32)
    results = [torch.zeros(50, 40), torch.zeros(50, 40)]
    for library, result in zip((fast, slow), results, strict=True):
        library.matmul(a, b, result, sizes, threads=(48, 64), group_size=(16, 16))
    assert torch.equal(*results)
    torch.testing.assert_close(results[0], a @ b, rtol=1e-4, atol=1e-4)


NEIGHBOURS = """
kernel void f(device float* x, uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]]) {
  threadgroup float part[64];
  %s
  part[t] = x[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  x[i] = part[63 - t] + %s;
}
"""


def test_what_the_compiler_rejects_in_lockstep_runs_on_fibers(both_ways: BothWays) -> None:
    """A structure might refer to variables of its thread."""
    source = HEAD + "struct Pair { float a, b; };" + NEIGHBOURS % ("Pair pair = {x[i], 2.0f};", "pair.a * pair.b")
    x = torch.randn(128)
    for library in both_ways(source):
        assert not in_lockstep(library, "f")
        y = x.clone()
        library.f(y, threads=128, group_size=64)
        torch.testing.assert_close(y, x.reshape(2, 64).flip(1).flatten() + 2 * x)


def test_one_kernel_that_the_compiler_rejects_leaves_the_others_in_lockstep(both_ways: BothWays) -> None:
    taken = (NEIGHBOURS % ("", "0")).replace("void f(", "void g(")
    source = HEAD + "struct Pair { float a, b; };" + taken + NEIGHBOURS % ("Pair pair = {x[i], 2.0f};", "pair.a")
    fast, _ = both_ways(source)
    assert [in_lockstep(fast, name) for name in ("f", "g")] == [False, True]


def test_a_function_cannot_change_what_all_threads_share(both_ways: BothWays) -> None:
    """Hidden from the text: the function's parameter is a template's."""
    source = HEAD + "template <class T> void change(T&& k) { k += 1; }" + NEIGHBOURS % ("uint k = 1; change(k);", "k")
    for library in both_ways(source):
        y = torch.zeros(64)
        library.f(y, group_size=64)
        assert (y == 2).all()


def test_an_operand_cannot_change_what_all_threads_share(both_ways: BothWays) -> None:
    head = HEAD + "template <class T> float next(T&& k) { return k += 1; }"
    source = head + NEIGHBOURS % ("uint k = 1; float y = simd_max(next(k));", "y + k")
    for library in both_ways(source):
        y = torch.zeros(64)
        library.f(y, group_size=64)
        assert (y == 4).all()


def test_an_error_is_told_once_and_in_the_users_terms() -> None:
    with pytest.raises(metal.MetalCompileError) as caught:
        metal.compile_shader(HEAD + NEIGHBOURS % ("float y = nothing;", "y"))
    (diagnostic,) = caught.value.diagnostics
    assert "'nothing'" in diagnostic.message
    assert diagnostic.place.line == 6


def test_threads_that_return_leave_the_rest_to_fibers(both_ways: BothWays) -> None:
    """In whole threadgroups, in none, and in part of the last one."""
    fast, slow = both_ways(
        HEAD + "kernel void f(device float* x, constant uint& n, uint i [[thread_position_in_grid]]) {\n"
        "  if (i >= n) return;\n  x[i] = simd_sum(x[i]);\n}"
    )
    assert in_lockstep(fast, "f")
    for n in (0, 64, 70, 128, 130, 256):
        results = [torch.arange(256.0), torch.arange(256.0)]
        for library, result in zip((fast, slow), results, strict=True):
            library.f(result, torch.tensor([n], dtype=torch.int32), group_size=64)
        assert torch.equal(*results)
        assert n % 64 == 0 or results[0][n - 1] == torch.arange(n // 32 * 32.0, n).sum()
        assert torch.equal(results[0][n:], torch.arange(256.0)[n:])


def test_other_orders_run_on_fibers(both_ways: BothWays) -> None:
    """A race shows: lockstep would always give the same."""
    library, _ = both_ways(
        HEAD + "kernel void f(device uint* x, uint t [[thread_index_in_threadgroup]]) {\n"
        "  x[0] = t;\n  threadgroup_barrier(mem_flags::mem_device);\n}"
    )
    assert in_lockstep(library, "f")
    found: set[int] = set()
    for order in ("ascending", "descending"):
        x = torch.zeros(64, dtype=torch.int32)
        library.f(x, group_size=64, order=order)
        found.add(int(x[0]))
    assert found == {0, 63}


def test_loops_end_where_they_did(both_ways: BothWays) -> None:
    """Limits that are negative, at the ends of their types, or of another type than the counter."""
    loops = (
        "for (int k = int(t) - 40; k < n[0]; k += 7) x[i]++;",
        "for (int k = t; k <= n[1]; k += 5) x[i]++;",
        "for (uint k = t; k < uint(n[2]); k++) x[i]++;",
        "for (int k = t; k < uint(n[2]); k++) x[i]++;",
        "for (uint k = 4294967290u + t % 5; k < 4294967295u; k++) x[i]++;",
        "for (long k = t; k < n[2] * 2; k += 3) x[i]++;",
    )
    parameters = (
        "device int* x, constant int* n, uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]]"
    )
    kernels = (
        f"kernel void f{number}({parameters}) {{ {loop} threadgroup_barrier(mem_flags::mem_none); x[i]++; }}"
        for number, loop in enumerate(loops)
    )
    fast, slow = both_ways(HEAD + "\n".join(kernels))
    sizes = torch.tensor([-3, 45, 50], dtype=torch.int32)
    for number in range(len(loops)):
        assert in_lockstep(fast, f"f{number}")
        results = [torch.zeros(128, dtype=torch.int32), torch.zeros(128, dtype=torch.int32)]
        for library, result in zip((fast, slow), results, strict=True):
            getattr(library, f"f{number}")(result, sizes, group_size=64)
        assert torch.equal(*results)
        assert (results[0] > 1).any()
