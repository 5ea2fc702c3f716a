"""The kernels that ``metal_cuda.py`` times, and what PyTorch does in their place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"

ADD = f"""{HEAD}
kernel void add(device const float4* a, device const float4* b, device float4* out,
                uint i [[thread_position_in_grid]]) {{
  out[i] = a[i] + b[i];
}}
"""

# One threadgroup for each row; partial results of simdgroups meet in threadgroup memory.
REDUCTIONS = f"""{HEAD}
struct Place {{ uint local, size, lane, group, groups; }};

template <typename Operation>
float over_threadgroup(float value, threadgroup float* partial, Place at, float nothing, Operation operation) {{
  value = operation(value);
  if (at.lane == 0) partial[at.group] = value;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  value = operation(at.lane < at.groups ? partial[at.lane] : nothing);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return value;
}}
struct Sum {{ float operator()(float x) const thread {{ return simd_sum(x); }} }};
struct Max {{ float operator()(float x) const thread {{ return simd_max(x); }} }};

#define PLACE uint row [[threadgroup_position_in_grid]], uint local [[thread_position_in_threadgroup]], \\
  uint size [[threads_per_threadgroup]], uint lane [[thread_index_in_simdgroup]], \\
  uint group [[simdgroup_index_in_threadgroup]], uint groups [[simdgroups_per_threadgroup]]

kernel void softmax(device const float4* x, device float4* y, constant int& quarters, PLACE) {{
  threadgroup float partial[32];
  const Place at = {{local, size, lane, group, groups}};
  x += row * quarters;
  y += row * quarters;
  float top = -INFINITY;
  for (int j = local; j < quarters; j += size) top = max(top, max(max(x[j].x, x[j].y), max(x[j].z, x[j].w)));
  top = over_threadgroup(top, partial, at, -INFINITY, Max());
  float total = 0;
  for (int j = local; j < quarters; j += size) total += dot(exp(x[j] - top), float4(1));
  total = over_threadgroup(total, partial, at, 0, Sum());
  for (int j = local; j < quarters; j += size) y[j] = exp(x[j] - top) / total;
}}

kernel void layer_norm(device const float4* x, device float4* y, device const float4* weight, device const float4* bias,
                       constant int& quarters, PLACE) {{
  threadgroup float partial[32];
  const Place at = {{local, size, lane, group, groups}};
  x += row * quarters;
  y += row * quarters;
  float total = 0;
  for (int j = local; j < quarters; j += size) total += dot(x[j], float4(1));
  const float mean = over_threadgroup(total, partial, at, 0, Sum()) / (4 * quarters);
  float squares = 0;
  for (int j = local; j < quarters; j += size) squares += dot(x[j] - mean, x[j] - mean);
  const float scale = rsqrt(over_threadgroup(squares, partial, at, 0, Sum()) / (4 * quarters) + 1e-5f);
  for (int j = local; j < quarters; j += size) y[j] = (x[j] - mean) * scale * weight[j] + bias[j];
}}

// Rows of as many elements as the threadgroup has threads.
kernel void scan(device const float* x, device float* y, PLACE) {{
  threadgroup float sums[32];
  const float mine = simd_prefix_inclusive_sum(x[row * size + local]);
  if (lane == 31) sums[group] = mine;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const float before = simd_prefix_exclusive_sum(lane < groups ? sums[lane] : 0.0f);
  y[row * size + local] = mine + simd_shuffle(before, ushort(group));
}}
"""

MATMUL_TILED = f"""{HEAD}
constant constexpr int TILE = 16;
kernel void matmul(device const float* a, device const float* b, device float* c, constant int& n,
                   uint2 group [[threadgroup_position_in_grid]], uint2 local [[thread_position_in_threadgroup]]) {{
  threadgroup float left[TILE][TILE];
  threadgroup float right[TILE][TILE];
  const int row = group.y * TILE + local.y, column = group.x * TILE + local.x;
  float sum = 0;
  for (int start = 0; start < n; start += TILE) {{
    left[local.y][local.x] = a[row * n + start + local.x];
    right[local.y][local.x] = b[(start + local.y) * n + column];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (int i = 0; i < TILE; ++i) sum += left[local.y][i] * right[i][local.x];
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }}
  c[row * n + column] = sum;
}}
"""

# Each simdgroup computes 32 x 32 elements; four of them, 64 x 64, make a threadgroup.
MATMUL_SIMDGROUP = f"""{HEAD}
kernel void matmul(device const float* a, device const float* b, device float* c, constant int& n,
                   uint2 group [[threadgroup_position_in_grid]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {{
  const uint row = group.y * 64 + simdgroup / 2 * 32, column = group.x * 64 + simdgroup % 2 * 32;
  simdgroup_float8x8 sum[4][4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) sum[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  for (int k = 0; k < n; k += 8) {{
    simdgroup_float8x8 left[4], right[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {{
      simdgroup_load(left[i], a + (row + 8 * i) * n + k, n);
      simdgroup_load(right[i], b + k * n + column + 8 * i, n);
    }}
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) simdgroup_multiply_accumulate(sum[i][j], left[i], right[j], sum[i][j]);
  }}
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) simdgroup_store(sum[i][j], c + (row + 8 * i) * n + column + 8 * j, n);
}}
"""

# 256 bins, counted in threadgroup memory first.
HISTOGRAM = f"""{HEAD}
kernel void histogram(device const int4* x, device atomic_int* bins, constant int& quarters,
                      uint i [[thread_position_in_grid]], uint threads [[threads_per_grid]],
                      uint local [[thread_position_in_threadgroup]]) {{
  threadgroup atomic_int counts[256];
  atomic_store_explicit(&counts[local], 0, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (int j = i; j < quarters; j += threads)
    for (int part = 0; part < 4; ++part) atomic_fetch_add_explicit(&counts[x[j][part]], 1, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  atomic_fetch_add_explicit(&bins[local], atomic_load_explicit(&counts[local], memory_order_relaxed),
                            memory_order_relaxed);
}}
"""


@dataclass(frozen=True)
class Setup:
    """One case at one size: the call, where its result lies, and PyTorch's way to it."""

    arguments: list[Any]
    out: Tensor
    threads: list[int]
    group_size: list[int]
    eager: Callable[[], Tensor]
    exact: Callable[[], Tensor]
    """In float64, or in integers."""
    casts: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One kernel. ``prepare(device, size)`` draws its tensors."""

    name: str
    source: str
    kernel: str
    prepare: Callable[[str, int], Setup]
    size: int
    small: int
    """A size at which it is tried without a GPU."""


def _add(device: str, n: int) -> Setup:
    a, b, out = torch.randn(n, device=device), torch.randn(n, device=device), torch.empty(n, device=device)
    return Setup([a, b, out], out, [n // 4], [256], lambda: a + b, lambda: a.double() + b.double())


def _softmax(device: str, rows: int) -> Setup:
    x = torch.randn(rows, 4096, device=device)
    out = torch.empty_like(x)
    return Setup(
        [x, out, 1024], out, [rows * 256], [256], lambda: x.softmax(1), lambda: x.double().softmax(1), {2: "int32"}
    )


def _layer_norm(device: str, rows: int) -> Setup:
    x, weight, bias = torch.randn(rows, 1024, device=device), *torch.randn(2, 1024, device=device)
    out = torch.empty_like(x)
    normal = torch.nn.functional.layer_norm
    return Setup(
        [x, out, weight, bias, 256], out, [rows * 256], [256],
        lambda: normal(x, [1024], weight, bias),
        lambda: normal(x.double(), [1024], weight.double(), bias.double()),
        {4: "int32"},
    )  # fmt: skip


def _scan(device: str, rows: int) -> Setup:
    x = torch.randn(rows, 1024, device=device)
    out = torch.empty_like(x)
    return Setup([x, out], out, [rows * 1024], [1024], lambda: x.cumsum(1), lambda: x.double().cumsum(1))


def _matmul(threads: Callable[[int], list[int]], group: list[int]) -> Callable[[str, int], Setup]:
    def prepare(device: str, n: int) -> Setup:
        a, b = torch.randn(2, n, n, device=device)
        out = torch.empty_like(a)
        return Setup(
            [a, b, out, n], out, threads(n), group, lambda: a @ b, lambda: a.double() @ b.double(), {3: "int32"}
        )

    return prepare


def _histogram(device: str, n: int) -> Setup:
    x = torch.randint(256, (n,), device=device, dtype=torch.int32)
    out = torch.zeros(256, device=device, dtype=torch.int32)
    threads = min(n // 4, 1 << 18)
    return Setup(
        [x, out, n // 4], out, [threads], [256],
        lambda: x.bincount(minlength=256), lambda: x.bincount(minlength=256), {2: "int32"},
    )  # fmt: skip


CASES = (
    Case("float4 add of 2^28 elements", ADD, "add", _add, 1 << 28, 1 << 12),
    Case("softmax 16384 x 4096", REDUCTIONS, "softmax", _softmax, 16384, 3),
    Case("layer norm 16384 x 1024", REDUCTIONS, "layer_norm", _layer_norm, 16384, 3),
    Case("scan 16384 x 1024", REDUCTIONS, "scan", _scan, 16384, 3),
    Case(
        "matmul 2048^3, threadgroup tiles", MATMUL_TILED, "matmul",
        _matmul(lambda n: [n, n], [16, 16]), 2048, 64,
    ),
    Case(
        "matmul 2048^3, simdgroup_matrix", MATMUL_SIMDGROUP, "matmul",
        _matmul(lambda n: [2 * n, n // 64], [128, 1]), 2048, 128,
    ),
    Case("histogram of 2^26 in 256 bins", HISTOGRAM, "histogram", _histogram, 1 << 26, 1 << 12),
)  # fmt: skip
