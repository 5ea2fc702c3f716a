"""Sums of the rows of each segment: a stable counting sort with integer atomics, then sums without any.

Fuses: zeroing the sums and adding to them.
Moves: the rows once (20 MB for 40000 × 128), the segments' numbers twice, a few counters, and the sums once. Adding
each row with float atomics would read and write 40 MB of sums, through units that take one addition per address at a
time.
Why so: float additions do not commute in their last bits, so float atomics give another answer at every run. Integer
atomics commute: each block of rows counts how many go to each segment; a prefix sum over (segment, block) says where
each block's rows go; within a block the rank is counted in threadgroup memory. The order that comes out is always the
same, so the sums are the same to the bit. 32-bit atomics are all that every Apple GPU has.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

constant constexpr uint BLOCK = 256;  // rows that are counted together
constant constexpr uint PARTS = 8;    // SIMD-groups that share a segment

// How many rows of each block belong to each segment.
kernel void count(device const long* segment, device atomic_uint* counts, constant uint& rows, constant uint& blocks,
                  uint row [[thread_position_in_grid]]) {
  if (row >= rows) return;
  atomic_fetch_add_explicit(&counts[uint(segment[row]) * blocks + row / BLOCK], 1u, memory_order_relaxed);
}

// Exclusive prefix sums of all counts, by one threadgroup of 1024: each thread takes a run of them.
[[max_total_threads_per_threadgroup(1024)]]
kernel void place(device const uint* counts, device uint* starts, constant uint& entries,
                  uint thread_index [[thread_position_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                  uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup uint totals[32];
  const uint run = (entries + 1023) / 1024;
  const uint first = min(thread_index * run, entries), end = min(first + run, entries);
  uint sum = 0;
  for (uint i = first; i < end; i++) sum += counts[i];
  const uint before = simd_prefix_exclusive_sum(sum);
  if (lane == 31) totals[simdgroup] = before + sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  uint start = simd_sum(lane < simdgroup ? totals[lane] : 0u) + before;
  for (uint i = first; i < end; i++) {
    starts[i] = start;
    start += counts[i];
  }
  if (thread_index == 1023) starts[entries] = start;  // the end of the last segment
}

// The rows, sorted by segment and, within one, by number.
[[max_total_threads_per_threadgroup(BLOCK)]]
kernel void sort(device const long* segment, device const uint* starts, device uint* order, constant uint& rows,
                 constant uint& blocks, uint block [[threadgroup_position_in_grid]],
                 uint thread_index [[thread_position_in_threadgroup]]) {
  threadgroup uint keys[BLOCK];
  const uint row = block * BLOCK + thread_index;
  const uint mine = row < rows ? uint(segment[row]) : 0xffffffffu;
  keys[thread_index] = mine;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (row >= rows) return;
  uint rank = 0;
  for (uint i = 0; i < thread_index; i++) rank += keys[i] == mine;  // all lanes read the same word: a broadcast
  order[starts[mine * blocks + block] + rank] = row;
}

// A threadgroup for each segment: its SIMD-groups take every PARTS-th row, and the first one adds up what they found.
// V: float4 where the features are a multiple of four, else float; `width` counts features in V.
template <typename V>
[[kernel]] void add(device const V* rows, device const uint* order, device const uint* starts, device V* out,
                    constant uint& width, constant uint& blocks, uint segment [[threadgroup_position_in_grid]],
                    uint lane [[thread_index_in_simdgroup]], uint part [[simdgroup_index_in_threadgroup]]) {
  threadgroup V sums[PARTS][32];
  const uint first = starts[segment * blocks], end = starts[(segment + 1) * blocks];
  for (uint base = 0; base < width; base += 32) {
    const uint column = base + lane;
    V sum = V(0.0f);
    if (column < width) {
      for (uint i = first + part; i < end; i += PARTS) sum += rows[order[i] * width + column];
    }
    sums[part][lane] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (part == 0 && column < width) {
      for (uint other = 1; other < PARTS; other++) sum += sums[other][lane];
      out[segment * width + column] = sum;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
}

template [[host_name("add_float4")]] [[kernel]] decltype(add<float4>) add<float4>;
template [[host_name("add_float")]] [[kernel]] decltype(add<float>) add<float>;
"""

LIBRARY = torch.mps.compile_shader(SOURCE)
BLOCK, PARTS = 256, 8


def dense(x):
    """Contiguous, and starting on 16 bytes as float4 wants it: a view may start anywhere in its memory."""
    x = x.contiguous()
    return x.clone() if x.storage_offset() % 4 else x


class ModelNew(nn.Module):
    def __init__(self, segments):
        super().__init__()
        self.segments = segments

    def forward(self, rows, segment):
        rows, segment = dense(rows), segment.contiguous()
        count, features = rows.shape
        blocks = -(-count // BLOCK)
        entries = self.segments * blocks
        # int32 for the kernels' uint: torch has few operators for unsigned types, and the bits are the same.
        counts = torch.zeros(entries, dtype=torch.int32, device=rows.device)
        starts = torch.empty(entries + 1, dtype=torch.int32, device=rows.device)
        order = torch.empty(count, dtype=torch.int32, device=rows.device)
        LIBRARY.count(segment, counts, count, blocks, threads=count, group_size=BLOCK, arg_casts="int32")
        LIBRARY.place(counts, starts, entries, threads=1024, group_size=1024, arg_casts="int32")
        padded = blocks * BLOCK
        LIBRARY.sort(segment, starts, order, count, blocks, threads=padded, group_size=BLOCK, arg_casts="int32")

        out = torch.empty(self.segments, features, dtype=rows.dtype, device=rows.device)
        kernel, width = (LIBRARY.add_float, features) if features % 4 else (LIBRARY.add_float4, features // 4)
        group = 32 * PARTS
        threads = self.segments * group
        kernel(rows, order, starts, out, width, blocks, threads=threads, group_size=group, arg_casts="int32")
        return out
