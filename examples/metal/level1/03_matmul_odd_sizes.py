"""A matrix product of any sizes, in tiles of threadgroup memory, with every ragged edge guarded.

Fuses: nothing; it shows the classic tiled product without simdgroup matrices (level2/01 has these).
Moves: a tile of 64 × 64 outputs reads 64 rows of a and 64 columns of b, so a and b are read N/64 and M/64 times instead
of N and M times: 1021 × 1531 × 769 asks memory for about 154 MB (most of it from the cache) instead of 9.6 GB.
Why so: with odd K and N no row starts on 16 bytes, so device memory is read float by float, 64 bytes (a) or 128 bytes
(b) in a run. The tiles are stored so that the inner loop reads float4 nevertheless: two loads of 16 bytes for 16
multiply-adds. Threadgroup memory is what an Apple GPU has little of beside its arithmetic, in bandwidth as in bytes
(measured by the metal-benchmarks project), so the more that registers do with each value, the better.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

constant constexpr uint TILE = 64;    // of outputs, in both directions
constant constexpr uint DEPTH = 16;   // of k, for each step
constant constexpr uint WIDE = TILE + 4;  // keeps rows on 16 bytes and puts them 4 banks apart
constant constexpr uint FLUSH = 8;    // steps whose products are added up before they join the total

// 16 × 16 threads, each with 4 × 4 outputs.
[[max_total_threads_per_threadgroup(256)]]
kernel void matmul(device const float* a, device const float* b, device float* c, constant uint& m, constant uint& k,
                   constant uint& n, uint2 tile [[threadgroup_position_in_grid]],
                   uint thread_index [[thread_index_in_threadgroup]]) {
  threadgroup float4 left[DEPTH][WIDE / 4];   // transposed: a thread's four rows lie side by side
  threadgroup float4 right[DEPTH][WIDE / 4];
  threadgroup float* left_floats = (threadgroup float*)left;
  threadgroup float* right_floats = (threadgroup float*)right;

  const uint first_row = tile.y * TILE, first_column = tile.x * TILE;
  const uint4 rows = first_row + thread_index / 16 * 4 + uint4(0, 1, 2, 3);
  float4 total[4] = {float4(0.0f), float4(0.0f), float4(0.0f), float4(0.0f)};
  float4 part[4] = {float4(0.0f), float4(0.0f), float4(0.0f), float4(0.0f)};

  uint step = 0;
  for (uint base = 0; base < k; base += DEPTH) {
    // Zeros beyond the edges: they add nothing, and the loop below needs no conditions.
    for (uint i = 0; i < 4; i++) {
      const uint row = thread_index / DEPTH + i * 16, depth = thread_index % DEPTH;
      const bool inside = first_row + row < m && base + depth < k;
      left_floats[depth * WIDE + row] = inside ? a[(first_row + row) * k + base + depth] : 0.0f;
    }
    for (uint i = 0; i < 4; i++) {
      const uint depth = thread_index / TILE + i * 4, column = thread_index % TILE;
      const bool inside = base + depth < k && first_column + column < n;
      right_floats[depth * WIDE + column] = inside ? b[(base + depth) * n + first_column + column] : 0.0f;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);

    for (uint depth = 0; depth < DEPTH; depth++) {
      const float4 down = left[depth][thread_index / 16];     // the same for half of a SIMD-group: one broadcast
      const float4 across = right[depth][thread_index % 16];  // neighbours for neighbours: no bank twice
      for (uint i = 0; i < 4; i++) part[i] += down[i] * across;
    }
    // Sums of sums: the longest chain of roundings is 128 + k / 128 additions instead of k.
    if (++step == FLUSH) {
      for (uint i = 0; i < 4; i++) {
        total[i] += part[i];
        part[i] = float4(0.0f);
      }
      step = 0;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);  // nobody may overwrite what others still read
  }

  const uint column = first_column + thread_index % 16 * 4;
  for (uint i = 0; i < 4; i++) {
    const float4 sum = total[i] + part[i];
    for (uint j = 0; j < 4; j++) {
      if (rows[i] < m && column + j < n) c[rows[i] * n + column + j] = sum[j];
    }
  }
}
"""

LIBRARY = torch.mps.compile_shader(SOURCE)
TILE = 64


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        (m, k), n = a.shape, b.shape[1]
        c = torch.empty(m, n, dtype=a.dtype, device=a.device)
        tiles = -(-n // TILE), -(-m // TILE)
        threads = (tiles[0] * 16, tiles[1] * 16)
        LIBRARY.matmul(a, b, c, m, k, n, threads=threads, group_size=(16, 16), arg_casts="int32")
        return c
