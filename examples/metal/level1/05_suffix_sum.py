"""A cumulative sum from the right: one pass that reads backwards, no flips.

Fuses: flip, scan and flip.
Moves: 8 bytes per element, 32 MiB for 1024 × 4096. Eager's three operators move 24 bytes per element.
Why so: thread 0 takes the last float4 of the row, thread 1 the one before it, and so on; the sum from the right is then
an ordinary prefix sum over the threads. Lanes that read backwards still touch the same 512 bytes, so access stays
coalesced. Three levels (within a float4, a SIMD-group, a threadgroup) need one barrier for 4096 elements, and chains of
additions so short that the sums are about as exact as those of a wider type.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

// A threadgroup for each row. Rows longer than 4 × threads go in steps, from the right, with a carry.
[[max_total_threads_per_threadgroup(1024)]]
kernel void suffix_sum(device const float* x, device float* out, constant uint& columns,
                       uint row [[threadgroup_position_in_grid]],
                       uint thread_index [[thread_position_in_threadgroup]],
                       uint threads [[threads_per_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                       uint simdgroup [[simdgroup_index_in_threadgroup]],
                       uint simdgroups [[simdgroups_per_threadgroup]]) {
  // Two sets in turn: whoever is fast may write the next step's while others still read this one's.
  threadgroup float totals[2][32];
  x += row * columns;
  out += row * columns;
  const bool aligned = columns % 4 == 0;  // of every row and step, then
  const int step = int(threads) * 4;
  float carry = 0.0f;
  uint turn = 0;

  for (int end = int(columns); end > 0; end -= step) {
    const int first = end - int(thread_index) * 4 - 4;
    float4 sums = float4(0.0f);
    if (aligned && first >= 0) {
      sums = *(device const float4*)(x + first);
    } else if (!aligned) {
      for (int i = 0; i < 4; i++) sums[i] = first + i >= 0 ? x[first + i] : 0.0f;
    }
    sums.z += sums.w;
    sums.y += sums.z;
    sums.x += sums.y;

    const float right_of_lane = simd_prefix_exclusive_sum(sums.x);
    if (lane == 31) totals[turn][simdgroup] = right_of_lane + sums.x;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const float total = lane < simdgroups ? totals[turn][lane] : 0.0f;
    const float right_of_simdgroup = simd_sum(lane < simdgroup ? total : 0.0f);
    sums += right_of_lane + (right_of_simdgroup + carry);
    carry += simd_sum(total);
    turn ^= 1;

    if (aligned && first >= 0) {
      *(device float4*)(out + first) = sums;
    } else if (!aligned) {
      for (int i = 0; i < 4; i++) {
        if (first + i >= 0) out[first + i] = sums[i];
      }
    }
  }
}
"""

LIBRARY = torch.mps.compile_shader(SOURCE)


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
        group = min(1024, -(-columns // 128) * 32)
        LIBRARY.suffix_sum(x, out, columns, threads=rows * group, group_size=group, arg_casts="int32")
        return out
