"""How fast Metal kernels compile and run on this machine's CPU, side by side with torch's own.

    python benchmarks/metal_speed.py [--runs 30]

Prints, with their limits: the time of a kernel over torch eager's for an addition of 2^20 elements (8×), a softmax of
1024 × 1024 with simd reductions (25×) and a matrix product of 512³ with simdgroup_matrix (50×); the warm compile of a
small kernel (0.15 s: its text is new, all else is in the cache) and the first ever use in an empty cache, runtime and
headers included (15 s). A ratio is the median over blocks of calls that alternate. Exits with 1 when a limit is
missed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import torch

from figure import figure, machine
from kernelwright.metal import compile_shader

SOURCE = """
#include <metal_stdlib>
#include <metal_simdgroup_matrix>
using namespace metal;

kernel void add(device const float* a, device const float* b, device float* out, uint i [[thread_position_in_grid]]) {
  out[i] = a[i] + b[i];
}

constant constexpr uint width = 1024, threads = 256;

kernel void softmax(device const float* x, device float* y, uint row [[threadgroup_position_in_grid]],
                    uint t [[thread_position_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                    uint simd [[simdgroup_index_in_threadgroup]]) {
  threadgroup float part[threads / 32];
  x += row * width;
  y += row * width;
  float most = -INFINITY;
  for (uint i = t; i < width; i += threads) most = max(most, x[i]);
  most = simd_max(most);
  if (lane == 0) part[simd] = most;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint k = 0; k < threads / 32; k++) most = max(most, part[k]);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float sum = 0;
  for (uint i = t; i < width; i += threads) sum += exp(x[i] - most);
  sum = simd_sum(sum);
  if (lane == 0) part[simd] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  sum = 0;
  for (uint k = 0; k < threads / 32; k++) sum += part[k];
  for (uint i = t; i < width; i += threads) y[i] = exp(x[i] - most) / sum;
}

constant constexpr uint n = 512;

// 32 × 32 elements a threadgroup, 16 × 16 each of its four simdgroups
kernel void matmul(device const float* a, device const float* b, device float* c,
                   uint2 tile [[threadgroup_position_in_grid]], uint simd [[simdgroup_index_in_threadgroup]]) {
  const uint row = tile.y * 32 + simd / 2 * 16, column = tile.x * 32 + simd % 2 * 16;
  simdgroup_float8x8 sum[2][2];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) sum[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  for (uint k = 0; k < n; k += 8) {
    simdgroup_float8x8 left[2], right[2];
    for (int i = 0; i < 2; i++) {
      simdgroup_load(left[i], a + (row + 8 * i) * n + k, n);
      simdgroup_load(right[i], b + k * n + column + 8 * i, n);
    }
    for (int i = 0; i < 2; i++)
      for (int j = 0; j < 2; j++) simdgroup_multiply_accumulate(sum[i][j], left[i], right[j], sum[i][j]);
  }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) simdgroup_store(sum[i][j], c + (row + 8 * i) * n + column + 8 * j, n);
}
"""

FIRST_USE = """
import torch, time
from kernelwright.metal import compile_shader
began = time.perf_counter()
x = torch.zeros(10)
source = "kernel void f(device float* x, uint i [[thread_position_in_grid]]) { x[i] += 1; }"
compile_shader(source).f(x)
assert x.sum() == 10
print(time.perf_counter() - began)
"""


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def ratio(ours: Callable[[], object], eager: Callable[[], object], runs: int) -> float:
    """Median of our time over eager's, block by block in turns."""
    return statistics.median(settled(ours) / settled(eager) for _ in range(runs))


def settled(call: Callable[[], object]) -> float:
    """Median seconds of a few calls, after a rest in which the threads of whoever ran before go to sleep."""
    time.sleep(0.05)
    for _ in range(4):
        call()
    return statistics.median(seconds(call) for _ in range(7))


def first_use() -> float:
    """Seconds to the first result in a cache that holds nothing, torch's import not counted."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"KERNELWRIGHT_HOME": home}
        done = subprocess.run([sys.executable, "-c", FIRST_USE], env=environment, check=True, capture_output=True)
    return float(done.stdout)


def warm_compile(runs: int) -> float:
    """Median seconds for a small kernel whose text is new."""
    source = "kernel void f(device float* x, uint i [[thread_position_in_grid]]) { x[i] += {}; }"
    stamp = time.time_ns()
    compile_shader(source.replace("{}", "1.0f"))
    texts = [source.replace("{}", f"{stamp + k}.0f") for k in range(runs)]
    return statistics.median(seconds(lambda text=text: compile_shader(text)) for text in texts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    runs: int = parser.parse_args().runs
    library, where = compile_shader(SOURCE), machine()

    a, b, total = torch.randn(1 << 20), torch.randn(1 << 20), torch.empty(1 << 20)
    kept = figure(
        "add 2^20, kernel / eager",
        ratio(lambda: library.add(a, b, total), lambda: torch.add(a, b, out=total), runs),
        "×", runs, where, limit=8,
    )  # fmt: skip
    x, y = torch.randn(1024, 1024), torch.empty(1024, 1024)
    kept &= figure(
        "softmax 1024², kernel / eager",
        ratio(lambda: library.softmax(x, y, threads=1024 * 256, group_size=256), lambda: torch.softmax(x, 1), runs),
        "×", runs, where, limit=25,
    )  # fmt: skip
    torch.testing.assert_close(y, torch.softmax(x, 1))
    left, right, product = torch.randn(512, 512), torch.randn(512, 512), torch.empty(512, 512)
    grid = {"threads": (16 * 128, 16), "group_size": (128, 1)}
    kept &= figure(
        "matmul 512³ with simdgroup_matrix, kernel / eager",
        ratio(lambda: library.matmul(left, right, product, **grid), lambda: left @ right, runs),
        "×", runs, where, limit=50,
    )  # fmt: skip
    torch.testing.assert_close(product, left @ right, rtol=1e-4, atol=1e-4)
    kept &= figure("warm compile of a small kernel", warm_compile(runs), "s", runs, where, limit=0.15)
    kept &= figure("first ever use", first_use(), "s", 1, where, limit=15)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
