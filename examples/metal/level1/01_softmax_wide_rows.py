"""Softmax over wide rows, each row read once and written once.

Fuses: maximum, exponentials, sum and division; the row stays in registers between them.
Moves: 8 bytes per element (one read, one write), 64 MiB for 256 × 32768. A softmax in three passes, as eager does it
where the row is longer than it can keep, reads the row three times: 16 bytes per element.
Why so: 32768 floats are 128 KiB, four times the 32 KiB of threadgroup memory, but 1024 threads with 32 floats each hold
them in registers: an Apple GPU core has about 208 KB of these (measured by the metal-benchmarks project), which leaves
18 registers of each thread for the rest. Longer rows, and rows that do not start on 16 bytes, take the second kernel:
maximum and sum in one pass (Milakov and Gimelshein 2018, arXiv:1805.02867), and a second read to write.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

constant constexpr uint KEPT = 8;  // float4 that a thread keeps: 32 registers

// One value from each SIMD-group, reduced by every SIMD-group for itself: no broadcast, and one barrier only.
// The caller hands over memory that nothing else uses, so that no barrier is needed before it is written either.
inline float max_of_group(float value, threadgroup float* scratch, uint lane, uint simdgroup, uint simdgroups) {
  value = simd_max(value);
  if (lane == 0) scratch[simdgroup] = value;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return simd_max(lane < simdgroups ? scratch[lane] : -INFINITY);
}
inline float sum_of_group(float value, threadgroup float* scratch, uint lane, uint simdgroup, uint simdgroups) {
  value = simd_sum(value);
  if (lane == 0) scratch[simdgroup] = value;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return simd_sum(lane < simdgroups ? scratch[lane] : 0.0f);
}

// A threadgroup for each row. The attribute makes the compiler fit 1024 threads into the register file.
[[max_total_threads_per_threadgroup(1024)]]
kernel void softmax_kept(device const float4* x, device float4* out, constant uint& quads,
                         uint row [[threadgroup_position_in_grid]],
                         uint thread_index [[thread_position_in_threadgroup]],
                         uint threads [[threads_per_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                         uint simdgroup [[simdgroup_index_in_threadgroup]],
                         uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float maxima[32], sums[32];
  x += row * quads;
  out += row * quads;

  // A fixed number of steps: a loop that the compiler unrolls is what keeps `kept` in registers. Neighbouring threads
  // read neighbouring float4: 512 bytes for each SIMD-group and step.
  float4 kept[KEPT];
  float4 largest = float4(-INFINITY);
  for (uint i = 0; i < KEPT; i++) {
    const uint quad = thread_index + i * threads;
    kept[i] = quad < quads ? x[quad] : float4(-INFINITY);
    largest = max(largest, kept[i]);
  }
  const float top = max_of_group(max(max(largest.x, largest.y), max(largest.z, largest.w)), maxima, lane, simdgroup,
                                 simdgroups);

  // precise:: holds under PYTORCH_MPS_FAST_MATH too. Four partial sums per thread, then a tree: short chains of
  // additions, so the sum of 32768 terms loses no more than that of a few dozen.
  float4 sum = float4(0.0f);
  for (uint i = 0; i < KEPT; i++) {
    kept[i] = precise::exp(kept[i] - top);
    sum += kept[i];
  }
  const float total = sum_of_group((sum.x + sum.y) + (sum.z + sum.w), sums, lane, simdgroup, simdgroups);

  const float scale = 1.0f / total;
  for (uint i = 0; i < KEPT; i++) {
    const uint quad = thread_index + i * threads;
    if (quad < quads) out[quad] = kept[i] * scale;
  }
}

// Any row: a running maximum, and a sum that is scaled down whenever the maximum rises.
[[max_total_threads_per_threadgroup(1024)]]
kernel void softmax_online(device const float* x, device float* out, constant uint& columns,
                           uint row [[threadgroup_position_in_grid]],
                           uint thread_index [[thread_position_in_threadgroup]],
                           uint threads [[threads_per_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                           uint simdgroup [[simdgroup_index_in_threadgroup]],
                           uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float maxima[32], sums[32];
  x += row * columns;
  out += row * columns;
  float largest = -INFINITY, sum = 0.0f;
  for (uint i = thread_index; i < columns; i += threads) {
    const float value = x[i];
    if (value > largest) {
      sum = sum * precise::exp(largest - value) + 1.0f;
      largest = value;
    } else if (value != -INFINITY) {  // -inf adds nothing; minus a maximum of -inf it would be NaN
      sum += precise::exp(value - largest);
    }
  }
  const float top = max_of_group(largest, maxima, lane, simdgroup, simdgroups);
  // A thread that saw no number has sum 0 and maximum -inf, and exp(-inf - top) is 0.
  const float total = sum_of_group(sum * precise::exp(largest - top), sums, lane, simdgroup, simdgroups);
  const float scale = 1.0f / total;
  for (uint i = thread_index; i < columns; i += threads) out[i] = precise::exp(x[i] - top) * scale;
}
"""

LIBRARY = torch.mps.compile_shader(SOURCE)
KEPT_FLOATS = 32


def dense(x):
    """Contiguous, and starting on 16 bytes as float4 wants it: a view may start anywhere in its memory."""
    x = x.contiguous()
    return x.clone() if x.storage_offset() % 4 else x


class ModelNew(nn.Module):
    def forward(self, x):
        x = dense(x)
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        columns = x.shape[-1]
        rows = x.numel() // columns
        kept = columns % 4 == 0 and columns <= 1024 * KEPT_FLOATS
        # As many whole SIMD-groups as the row fills.
        group = min(1024, -(-columns // (32 * (KEPT_FLOATS if kept else 1))) * 32)
        if kept:
            LIBRARY.softmax_kept(x, out, columns // 4, threads=rows * group, group_size=group, arg_casts="int32")
        else:
            LIBRARY.softmax_online(x, out, columns, threads=rows * group, group_size=group, arg_casts="int32")
        return out
