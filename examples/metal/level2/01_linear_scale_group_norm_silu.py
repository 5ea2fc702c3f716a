"""Linear, scale, group norm and SiLU in one kernel: a tile of outputs is as wide as a group.

Fuses: the product and everything after it.
Moves: inputs, weights and outputs (14 MB for 1024 × 768 → 1536, and the re-reads of tiles, which the cache answers). In
eager the product is written, and the three operators after it read and write 6 MB each: another 38 MB.
Why so: 24 groups of 64 features: if a threadgroup makes all 64 columns of a group, its mean and variance need no other
threadgroup, and the product never leaves the core. simdgroup_matrix runs 8 × 8 products on the same 128 FMA lanes, but
without moving operands through registers by hand: each of 4 SIMD-groups holds 4 × 4 such matrices (32 registers), so 8
loads from threadgroup memory feed 16 products. The sums leave through threadgroup memory that the operands no longer
need: 18 KiB where separate arrays would take 35, which no threadgroup may have, and three threadgroups fit into a
core's 60 KB (measured by the metal-benchmarks project).
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

constant constexpr uint TILE = 64;           // rows, and columns: the features of a group
constant constexpr uint DEPTH = 32;          // of k, for each step: 128 bytes of a row, a cache line
constant constexpr uint STRIDE = DEPTH + 4;  // rows of the operands: on 16 bytes, 4 banks apart
constant constexpr uint WIDE = TILE + 4;     // rows of the sums
constant constexpr uint THREADS = 128;

// x: (batch, inputs), weight: (outputs, inputs), out: (batch, outputs). The grid: a threadgroup for each group of
// features and each 64 rows.
[[max_total_threads_per_threadgroup(THREADS)]]
kernel void linear_group_norm_silu(device const float* x, device const float* weight, device const float* bias,
                                   device const float* scale, device const float* norm_weight,
                                   device const float* norm_bias, device float* out, constant uint& batch,
                                   constant uint& inputs, constant uint& outputs, constant float& epsilon,
                                   uint2 group [[threadgroup_position_in_grid]],
                                   uint thread_index [[thread_index_in_threadgroup]],
                                   uint lane [[thread_index_in_simdgroup]],
                                   uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float4 memory[2 * TILE * STRIDE / 4];
  threadgroup float* left = (threadgroup float*)memory;   // TILE × STRIDE of x, then the same of the weights
  threadgroup float* right = left + TILE * STRIDE;
  threadgroup float* sums = (threadgroup float*)memory;   // TILE × WIDE, which is less, once these are done with
  const uint first_row = group.y * TILE, first_column = group.x * TILE;
  const uint down = simdgroup / 2 * 32, across = simdgroup % 2 * 32;  // this SIMD-group's quarter of the tile

  simdgroup_float8x8 total[4][4];
  for (uint i = 0; i < 4; i++) {
    for (uint j = 0; j < 4; j++) total[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  }

  for (uint base = 0; base < inputs; base += DEPTH) {
    // 64 rows of 8 float4, twice: each thread brings four of either, and eight neighbours read 128 bytes in a run.
    for (uint i = thread_index; i < TILE * DEPTH / 4; i += THREADS) {
      const uint row = i / (DEPTH / 4), depth = i % (DEPTH / 4) * 4;
      const bool deep = base + depth < inputs;
      const bool inside = deep && first_row + row < batch;
      *(threadgroup float4*)(left + row * STRIDE + depth) =
          inside ? *(device const float4*)(x + (first_row + row) * inputs + base + depth) : float4(0.0f);
      *(threadgroup float4*)(right + row * STRIDE + depth) =
          deep ? *(device const float4*)(weight + (first_column + row) * inputs + base + depth) : float4(0.0f);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);

    for (uint depth = 0; depth < DEPTH; depth += 8) {
      simdgroup_float8x8 a[4], b[4];
      for (uint i = 0; i < 4; i++) simdgroup_load(a[i], left + (down + i * 8) * STRIDE + depth, STRIDE);
      // The weights lie as (column, k): read transposed, they are the right operand.
      for (uint j = 0; j < 4; j++) {
        simdgroup_load(b[j], right + (across + j * 8) * STRIDE + depth, STRIDE, ulong2(0), true);
      }
      for (uint i = 0; i < 4; i++) {
        for (uint j = 0; j < 4; j++) simdgroup_multiply_accumulate(total[i][j], a[i], b[j], total[i][j]);
      }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }

  // Which lane holds which element of a matrix is not documented; through memory every lane gets what it wants.
  for (uint i = 0; i < 4; i++) {
    for (uint j = 0; j < 4; j++) simdgroup_store(total[i][j], sums + (down + i * 8) * WIDE + across + j * 8, WIDE);
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);

  // A row at a time for each SIMD-group, two columns for each lane: mean and variance are two simd_sums.
  const uint column = first_column + lane * 2;
  const float2 bias2 = *(device const float2*)(bias + column), scale2 = *(device const float2*)(scale + column);
  const float2 gain2 = *(device const float2*)(norm_weight + column);
  const float2 shift2 = *(device const float2*)(norm_bias + column);
  for (uint row = simdgroup; row < TILE && first_row + row < batch; row += THREADS / 32) {
    float2 v = (*(threadgroup float2*)(sums + row * WIDE + lane * 2) + bias2) * scale2;
    const float mean = simd_sum(v.x + v.y) / float(TILE);
    v -= mean;  // before squaring: no cancellation
    const float variance = simd_sum(v.x * v.x + v.y * v.y) / float(TILE);
    v = v * precise::rsqrt(variance + epsilon) * gain2 + shift2;
    *(device float2*)(out + (first_row + row) * outputs + column) = v / (1.0f + precise::exp(-v));
  }
}
"""

LIBRARY = torch.mps.compile_shader(SOURCE)
TILE = 64


def dense(x):
    """Contiguous, and starting on 16 bytes as float4 wants it: a view may start anywhere in its memory."""
    x = x.contiguous()
    return x.clone() if x.storage_offset() % 4 else x


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features, groups):
        super().__init__()
        if out_features != groups * TILE or in_features % 4:
            raise ValueError(
                f"groups of {TILE} features and inputs in multiples of 4 are needed, "
                f"not {out_features} features in {groups} groups of {in_features} inputs"
            )
        self.linear = nn.Linear(in_features, out_features)
        self.scale = nn.Parameter(torch.rand(out_features) + 0.5)
        self.norm = nn.GroupNorm(groups, out_features)

    def forward(self, x):
        x = dense(x)
        batch, outputs = x.shape[0], self.linear.out_features
        out = torch.empty(batch, outputs, dtype=x.dtype, device=x.device)
        threads = (outputs // TILE * 128, -(-batch // TILE))
        LIBRARY.linear_group_norm_silu(
            x, self.linear.weight, self.linear.bias, self.scale, self.norm.weight, self.norm.bias, out,
            batch, self.linear.in_features, outputs, self.norm.eps,
            threads=threads, group_size=(128, 1), arg_casts=dict.fromkeys((7, 8, 9), "int32"),
        )  # fmt: skip
        return out
