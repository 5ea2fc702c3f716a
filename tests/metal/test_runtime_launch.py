"""Threads, threadgroups, attributes, orders, workers, and kernels that go wrong in unchecked builds."""

import os
import threading
from typing import Any

import numpy as np
import pytest
import torch

from kernelwright import metal

pytestmark = pytest.mark.usefixtures("toolchain")
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
ORDERS = ("ascending", "descending", "shuffled")


def compiled(source: str, **options: Any) -> Any:
    return metal.compile_shader(HEAD + source, **options)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("waits", [False, True], ids=["rows", "fibers"])
@pytest.mark.parametrize(("grid", "group"), [((70,), (32,)), ((7, 9), (4, 3)), ((5, 6, 7), (3, 4, 2))])
def test_positions(grid: tuple[int, ...], group: tuple[int, ...], waits: bool, order: str) -> None:
    barrier = "threadgroup_barrier(mem_flags::mem_none);" if waits else ""
    library = compiled(
        f"""
        kernel void k(device uint* out, uint3 at [[thread_position_in_grid]], uint3 n [[threads_per_grid]],
                      uint3 l [[thread_position_in_threadgroup]], uint3 g [[threadgroup_position_in_grid]],
                      uint3 size [[threads_per_threadgroup]], uint3 full [[dispatch_threads_per_threadgroup]],
                      uint index [[thread_index_in_threadgroup]], uint3 groups [[threadgroups_per_grid]]) {{
          {barrier}
          const uint i = (at.z * n.y + at.y) * n.x + at.x;
          const bool right = all(at == g * full + l) && all(l < size) && all(groups == (n + full - 1) / full)
              && index == (l.z * size.y + l.y) * size.x + l.x && all(size == min(full, n - g * full));
          out[i] = right ? i + 1 : 0;
        }}"""
    )
    total = int(np.prod(grid))
    out = torch.zeros(total, dtype=torch.int32)
    library.k(out, threads=grid, group_size=group, order=order, seed=4)
    assert out.tolist() == list(range(1, total + 1))


def test_positions_in_simdgroups_and_quads() -> None:
    library = compiled(
        """
        kernel void k(device uint* out, uint i [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]],
                      uint simd [[simdgroup_index_in_threadgroup]], uint simds [[simdgroups_per_threadgroup]],
                      uint all_simds [[dispatch_simdgroups_per_threadgroup]], uint width [[threads_per_simdgroup]],
                      uint quad_lane [[thread_index_in_quadgroup]], uint quad [[quadgroup_index_in_threadgroup]],
                      uint quads [[quadgroups_per_threadgroup]], ushort l [[thread_position_in_threadgroup]]) {
          out[8 * i] = lane; out[8 * i + 1] = simd; out[8 * i + 2] = simds; out[8 * i + 3] = all_simds;
          out[8 * i + 4] = width; out[8 * i + 5] = quad_lane; out[8 * i + 6] = quad; out[8 * i + 7] = quads + l * 0;
        }"""
    )
    out = torch.zeros(8 * 100, dtype=torch.int32)
    library.k(out, threads=100, group_size=64)
    i = np.arange(100)
    local, last = i % 64, i >= 64
    expected = [local % 32, local // 32, np.where(last, 2, 2), np.full(100, 2), np.full(100, 32), local % 4, local // 4]
    np.testing.assert_array_equal(out.reshape(100, 8)[:, :7].numpy(), np.stack(expected, 1))
    np.testing.assert_array_equal(out.reshape(100, 8)[:, 7].numpy(), np.where(last, 9, 16))


@pytest.mark.parametrize("order", ORDERS)
def test_barriers_order_what_stands_on_both_sides(order: str) -> None:
    library = compiled(
        """
        kernel void k(device int* out, uint l [[thread_position_in_threadgroup]], uint i [[thread_position_in_grid]]) {
          threadgroup int a[1024];
          int sum = 0;
          for (int round = 0; round < 20; round++) {
            a[l] = int(l) * (round + 1);
            threadgroup_barrier(mem_flags::mem_threadgroup);
            sum += a[(l * 7 + round * 13) % 1024];
            threadgroup_barrier(mem_flags::mem_threadgroup);
          }
          out[i] = sum;
        }"""
    )
    out = torch.zeros(3 * 1024, dtype=torch.int32)
    library.k(out, group_size=1024, order=order, seed=7)
    local = np.arange(3 * 1024) % 1024
    expected = sum((local * 7 + r * 13) % 1024 * (r + 1) for r in range(20))
    np.testing.assert_array_equal(out.numpy(), expected)


def test_each_thread_runs_once_however_many_workers() -> None:
    library = compiled(
        """
        kernel void k(device atomic_int* out, uint i [[thread_position_in_grid]]) {
          threadgroup_barrier(mem_flags::mem_none);
          atomic_fetch_add_explicit(&out[i], 1, memory_order_relaxed);
        }"""
    )
    for size in (1, 2, 31, 32, 33, 257, 1000):
        out = torch.zeros(4099, dtype=torch.int32)
        library.k(out, group_size=size)
        assert bool((out == 1).all())


def test_threadgroup_memory_is_not_shared_between_groups() -> None:
    library = compiled(
        """
        kernel void k(device float* out, uint i [[thread_position_in_grid]], uint l [[thread_index_in_threadgroup]]) {
          threadgroup float a[32]; threadgroup float4 b[32];
          if (l % 2 == 0) a[l] = i;
          b[l] = float4(i);
          threadgroup_barrier(mem_flags::mem_threadgroup);
          out[i] = isnan(a[l]) ? -b[31 - l].w : a[l];
        }"""
    )
    out = torch.zeros(320)
    library.k(out, group_size=32)
    i = np.arange(320)
    np.testing.assert_array_equal(out.numpy(), np.where(i % 2 == 0, i, -(i // 32 * 32 + 31 - i % 32)))


def test_counts_of_threadgroup_memory() -> None:
    library = compiled(
        """
        kernel void k(device float* out, uint i [[thread_position_in_grid]]) {
          threadgroup float a[33]; threadgroup uchar b[3];
          a[i] = 1; b[i % 3] = 1;
          threadgroup_barrier(mem_flags::mem_threadgroup);
          out[i] = a[31 - i] + b[0];
        }"""
    )
    library.k(torch.zeros(32), group_size=32)
    assert library.k.static_thread_group_memory_length == 144 + 16


def test_far_accesses_do_not_end_the_process() -> None:
    library = compiled(
        """
        kernel void rows(device float* out, uint i [[thread_position_in_grid]]) { out[i * 1000000000000ul] = 1; }
        kernel void fibers(device float* out, uint i [[thread_position_in_grid]]) {
          threadgroup_barrier(mem_flags::mem_none);
          out[i * 1000000000000ul] = 1;
        }"""
    )
    for _ in range(3):
        for kernel in (library.rows, library.fibers):
            with pytest.raises(RuntimeError):
                kernel(torch.zeros(64), group_size=32)


def test_division_by_zero_gives_zero() -> None:
    library = compiled(
        """
        kernel void k(device int* out, device const int* a, device const int* b, uint i [[thread_position_in_grid]]) {
          out[2 * i] = a[i] / b[i];
          out[2 * i + 1] = a[i] % b[i];
        }"""
    )
    a = torch.tensor([7, -7, 5, -(1 << 31), 8, 100], dtype=torch.int32)
    b = torch.tensor([2, 2, 0, -1, 0, 7], dtype=torch.int32)
    out = torch.full((12,), 99, dtype=torch.int32)
    library.k(out, a, b, threads=6)
    got = out.reshape(6, 2).tolist()
    assert [got[i] for i in (0, 1, 5)] == [[3, 1], [-3, -1], [14, 2]]
    assert [got[i][0] for i in (2, 4)] == [0, 0]


def test_large_private_arrays() -> None:
    library = compiled(
        """
        kernel void k(device float* out, uint i [[thread_position_in_grid]]) {
          float values[4096];
          for (uint k = 0; k < 4096; k++) values[k] = float((k * 7 + i) % 4096);
          threadgroup_barrier(mem_flags::mem_none);
          out[i] = values[(i * 31) % 4096];
        }"""
    )
    out = torch.zeros(64)
    library.k(out, group_size=64)
    i = np.arange(64)
    np.testing.assert_array_equal(out.numpy(), ((i * 31) % 4096 * 7 + i) % 4096)


def test_launches_from_several_threads() -> None:
    library = compiled(
        """
        kernel void k(device float* out, uint i [[thread_position_in_grid]], uint l [[thread_index_in_threadgroup]]) {
          threadgroup float a[64];
          a[l] = i;
          threadgroup_barrier(mem_flags::mem_threadgroup);
          out[i] = a[63 - l];
        }"""
    )
    outs = [torch.zeros(6400) for _ in range(8)]
    workers = [threading.Thread(target=library.k, args=(out,), kwargs={"group_size": 64}) for out in outs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    i = np.arange(6400)
    for out in outs:
        np.testing.assert_array_equal(out.numpy(), i // 64 * 64 + 63 - i % 64)


def test_a_forked_process_has_workers_of_its_own() -> None:
    library = compiled(
        """
        kernel void k(device float* out, uint i [[thread_position_in_grid]]) {
          threadgroup_barrier(mem_flags::mem_none);
          out[i] = i + 1;
        }"""
    )
    library.k(torch.zeros(4096), group_size=64)
    child = os.fork()
    if child == 0:
        out = torch.zeros(4096)
        library.k(out, group_size=64)
        os._exit(0 if out[-1] == 4096 and out[0] == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    "value",
    [
        "float v[4] = {in[i], float(i), 2, 3}; out[i] = v[n[i]];",
        "float4 v = float4(in[i], float(i), 2, 3); out[i] = v[n[i] & 3];",
        "float4 v = float4(in[i], float(i), 2, 3); out[i] = v[n[0]];",
        "float v[4] = {0, 0, 0, 0}; v[n[i] & 3] = in[i]; out[i] = v[n[0]];",
    ],
    ids=["array", "vector", "vector at one index", "array written"],
)
@pytest.mark.parametrize("waits", [False, True], ids=["in rows", "in lockstep"])
def test_threads_have_arrays_of_their_own(value: str, waits: bool) -> None:
    """Several threads may run at once in vector code; what is indexed lies in memory, one piece for each of them."""
    barrier = "threadgroup_barrier(mem_flags::mem_none);" if waits else ""
    parameters = "device float* out, device const float* in, constant int* n, uint i [[thread_position_in_grid]]"
    library = compiled(f"kernel void f({parameters}) {{ {barrier} {value} }}")
    x, n, out = 3 * torch.arange(64.0), torch.ones(64, dtype=torch.int32), torch.zeros(64)
    library.f(out, x, n, threads=64, group_size=64)
    assert out.tolist() == (x.tolist() if "in[i];" in value else list(range(64)))
