"""Atomics and fences."""

import pytest
import torch

from kernelwright import metal

pytestmark = pytest.mark.usefixtures("toolchain")
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
RELAXED = "memory_order_relaxed"


def run(dtype: str, body: str, start: torch.Tensor, threads: int = 1000) -> torch.Tensor:
    """Runs ``body`` with ``a``, a pointer to atomics, and ``i`` in each thread; returns what the atomics hold then."""
    source = f"{HEAD}kernel void k(device {dtype}* a, uint i [[thread_position_in_grid]]) {{ {body} }}\n"
    metal.compile_shader(source).k(start, threads=threads, group_size=100)
    return start


@pytest.mark.parametrize(
    ("name", "start", "operand", "expected"),
    [
        ("add", 5, "i", 5 + 499500),
        ("sub", 5, "i", 5 - 499500),
        ("min", 5, "-int(i)", -999),
        ("max", 5, "i", 999),
        ("and", 0xFF, "~(1 << (i % 4))", 0xF0),
        ("or", 0, "1 << (i % 8)", 0xFF),
        ("xor", 0, "i", 0),
    ],
)
def test_integers(name: str, start: int, operand: str, expected: int) -> None:
    got = run("atomic_int", f"atomic_fetch_{name}_explicit(a, {operand}, {RELAXED});", torch.tensor([start]).int())
    assert got.item() == expected


def test_what_was_there_before() -> None:
    body = (
        f"const uint old = atomic_fetch_add_explicit(&a[0], 1u, {RELAXED}); "
        f"atomic_store_explicit(&a[1 + old], 1u, {RELAXED});"
    )
    assert run("atomic_uint", body, torch.zeros(1001, dtype=torch.int32)).tolist() == [1000] + [1] * 1000


def test_floats() -> None:
    got = run("atomic_float", f"atomic_fetch_add_explicit(a, 0.5f, {RELAXED});", torch.zeros(1))
    assert got.item() == 500
    got = run("atomic_float", f"atomic_fetch_sub_explicit(a, 2, {RELAXED});", torch.zeros(1))
    assert got.item() == -2000


def test_exchange_and_compare_exchange() -> None:
    body = f"""
      float seen = atomic_load_explicit(a, {RELAXED});
      const float mine = float(i * 37 % 1000);
      while (mine > seen && !atomic_compare_exchange_weak_explicit(a, &seen, mine, {RELAXED}, {RELAXED})) {{}}"""
    assert run("atomic_float", body, torch.zeros(1)).item() == 999
    body = (
        f"if (!atomic_exchange_explicit((device atomic_bool*)a, true, {RELAXED})) "
        f"atomic_fetch_add_explicit(a + 1, 1, {RELAXED});"
    )
    assert run("atomic_int", body, torch.zeros(2, dtype=torch.int32)).tolist() == [1, 1]


def test_longs_know_least_and_largest() -> None:
    body = f"atomic_max_explicit(a, ulong(i) << 40, {RELAXED}); atomic_min_explicit(a + 1, ulong(i + 3), {RELAXED});"
    start = torch.tensor([0, 1 << 50])
    assert run("atomic_ulong", body, start).tolist() == [999 << 40, 3]


@pytest.mark.parametrize(
    "statement",
    [
        "atomic_fetch_add_explicit((device atomic_ulong*)a, 1ul, memory_order_relaxed);",
        "atomic_fetch_and_explicit((device atomic_float*)a, 1.0f, memory_order_relaxed);",
        "atomic_fetch_add_explicit((device atomic_bool*)a, true, memory_order_relaxed);",
    ],
)
def test_what_metal_does_not_have(statement: str) -> None:
    with pytest.raises(metal.MetalCompileError):
        run("atomic_int", statement, torch.zeros(2, dtype=torch.int32))


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
@pytest.mark.parametrize("check", [False, True])
def test_a_thread_that_waits_in_a_loop_lets_others_run(order: str, check: bool) -> None:
    source = f"""{HEAD}
    kernel void k(device int* out, uint l [[thread_position_in_threadgroup]], uint i [[thread_position_in_grid]]) {{
      threadgroup atomic_uint turn;
      if (l == 0) atomic_store_explicit(&turn, 0u, {RELAXED});
      threadgroup_barrier(mem_flags::mem_threadgroup);
      while (atomic_load_explicit(&turn, {RELAXED}) != l) {{}}
      out[i] = l;
      atomic_store_explicit(&turn, l + 1, {RELAXED});
    }}"""
    out = torch.zeros(256, dtype=torch.int32)
    metal.compile_shader(source, check=check).k(out, group_size=64, order=order, seed=1)
    assert out.tolist() == list(range(64)) * 4
