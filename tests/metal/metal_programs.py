"""Programs that the tests of the Metal room share."""

ADD = """\
#include <metal_stdlib>
using namespace metal;

kernel void add(device const float* a, device const float* b, device float* out,
                uint i [[thread_position_in_grid]]) {
  out[i] = a[i] + b[i];
}
"""

SOFTMAX = """\
#include <metal_stdlib>
using namespace metal;

// One threadgroup for each row: partial results of simdgroups meet in threadgroup memory.
kernel void softmax(device const float* x, device float* y, constant int& n,
                    uint row [[threadgroup_position_in_grid]],
                    uint local [[thread_position_in_threadgroup]],
                    uint size [[threads_per_threadgroup]],
                    uint lane [[thread_index_in_simdgroup]],
                    uint group [[simdgroup_index_in_threadgroup]],
                    uint groups [[simdgroups_per_threadgroup]]) {
  threadgroup float partial[32];
  x += row * n;
  y += row * n;
  float top = -INFINITY;
  for (int j = local; j < n; j += size) top = max(top, x[j]);
  top = simd_max(top);
  if (lane == 0) partial[group] = top;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  top = simd_max(lane < groups ? partial[lane] : -INFINITY);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float total = 0;
  for (int j = local; j < n; j += size) total += exp(x[j] - top);
  total = simd_sum(total);
  if (lane == 0) partial[group] = total;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  total = simd_sum(lane < groups ? partial[lane] : 0.0f);
  for (int j = local; j < n; j += size) y[j] = exp(x[j] - top) / total;
}
"""

MATMUL = """\
#include <metal_stdlib>
using namespace metal;

constant constexpr int TILE = 16;

kernel void matmul(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],
                   device float* c [[buffer(2)]], constant int3& sizes [[buffer(3)]],
                   uint2 group [[threadgroup_position_in_grid]], uint2 local [[thread_position_in_threadgroup]]) {
  threadgroup float left[TILE][TILE];
  threadgroup float right[TILE][TILE];
  const int m = sizes.x, n = sizes.y, k = sizes.z;
  const int row = group.y * TILE + local.y, column = group.x * TILE + local.x;
  float sum = 0;
  for (int start = 0; start < k; start += TILE) {
    const int x = start + local.x, y = start + local.y;
    left[local.y][local.x] = row < m && x < k ? a[row * k + x] : 0.0f;
    right[local.y][local.x] = y < k && column < n ? b[y * n + column] : 0.0f;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (int i = 0; i < TILE; ++i) sum += left[local.y][i] * right[i][local.x];
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  if (row < m && column < n) c[row * n + column] = sum;
}
"""
