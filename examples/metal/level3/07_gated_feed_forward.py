"""A gated feed-forward block in two products: norm, gate and residual run in their prologue and epilogues.

Fuses: RMS norm, both products with its result, SiLU and the multiplication; then the last product and the addition.
Moves: x, the three weights (8.5 MB) and the gated values (2.8 MB, written and read once), and the output; what tiles
read again comes from the cache. Eager also writes and reads the norm, the two products, SiLU's result and the last
product: about 25 MB more.
Why so: rms normalisation multiplies a row by one number, so it can wait until the product is done: the threads that
bring x into threadgroup memory square it on the way, and the epilogue multiplies by the root. The norm costs no pass
over memory at all. Gate and up share each tile of x, so a SIMD-group's 4 + 2 + 2 loads feed 16 products of 8 × 8 (32
registers of sums, as in level2/01), and the epilogue has gate and up of one place in the same threadgroup.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

constant constexpr uint ROWS = 64, COLUMNS = 32;  // of a tile of outputs
constant constexpr uint DEPTH = 32;               // of k, for each step: 128 bytes of a row, a cache line
constant constexpr uint STRIDE = DEPTH + 4;       // rows of operands: on 16 bytes, 4 banks apart
constant constexpr uint WIDE = COLUMNS + 4;       // rows of sums
constant constexpr uint THREADS = 128;            // 2 × 2 SIMD-groups, each with 32 × 16 outputs
constant constexpr uint QUADS = DEPTH / 4;        // threads that bring a row
constant constexpr uint APART = THREADS / QUADS;  // rows between two that a thread brings

// Four floats of a row; zeros outside, so that ragged tiles need no other care.
inline float4 quad_at(device const float* matrix, uint row, uint rows, uint column, uint columns) {
  return row < rows && column < columns ? *(device const float4*)(matrix + row * columns + column) : float4(0.0f);
}

// Adds left · rightᵀ of one step to 4 × 2 matrices of sums.
inline void multiply(threadgroup const float* left, threadgroup const float* right,
                     thread simdgroup_float8x8 (&sums)[4][2]) {
  for (uint depth = 0; depth < DEPTH; depth += 8) {
    simdgroup_float8x8 a[4], b[2];
    for (uint i = 0; i < 4; i++) simdgroup_load(a[i], left + i * 8 * STRIDE + depth, STRIDE);
    for (uint j = 0; j < 2; j++) simdgroup_load(b[j], right + j * 8 * STRIDE + depth, STRIDE, ulong2(0), true);
    for (uint i = 0; i < 4; i++) {
      for (uint j = 0; j < 2; j++) simdgroup_multiply_accumulate(sums[i][j], a[i], b[j], sums[i][j]);
    }
  }
}
inline void clear(thread simdgroup_float8x8 (&sums)[4][2]) {
  for (uint i = 0; i < 4; i++) {
    for (uint j = 0; j < 2; j++) sums[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  }
}
inline void put(thread simdgroup_float8x8 (&sums)[4][2], threadgroup float* tile) {
  for (uint i = 0; i < 4; i++) {
    for (uint j = 0; j < 2; j++) simdgroup_store(sums[i][j], tile + i * 8 * WIDE + j * 8, WIDE);
  }
}

// out = silu(norm(x) · gateᵀ) * (norm(x) · upᵀ). x: (tokens, features), gate and up: (hidden, features).
[[max_total_threads_per_threadgroup(THREADS)]]
kernel void gated(device const float* x, device const float* weight, device const float* gate, device const float* up,
                  device float* out, constant uint& tokens, constant uint& features, constant uint& hidden,
                  uint2 group [[threadgroup_position_in_grid]], uint thread_index [[thread_index_in_threadgroup]],
                  uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  // Operands while the products run (ROWS + 2 × COLUMNS rows), sums afterwards (twice ROWS × WIDE).
  static_assert((ROWS + 2 * COLUMNS) * STRIDE == 2 * ROWS * WIDE, "both fill the same memory");
  threadgroup float4 memory[2 * ROWS * WIDE / 4];
  threadgroup float root[ROWS];
  threadgroup float* left = (threadgroup float*)memory;
  threadgroup float* gates = left + ROWS * STRIDE;
  threadgroup float* ups = gates + COLUMNS * STRIDE;
  const uint first_row = group.y * ROWS, first_column = group.x * COLUMNS;
  const uint down = simdgroup / 2 * 32, across = simdgroup % 2 * 16;

  simdgroup_float8x8 gate_sums[4][2], up_sums[4][2];
  clear(gate_sums);
  clear(up_sums);
  // A thread brings float4 of the same four rows in every step, so it can square them on the way.
  const uint row = thread_index / QUADS, part = thread_index % QUADS * 4;
  float4 squares[ROWS / APART];
  for (uint i = 0; i < ROWS / APART; i++) squares[i] = float4(0.0f);

  for (uint base = 0; base < features; base += DEPTH) {
    const float4 gain = base + part < features ? *(device const float4*)(weight + base + part) : float4(0.0f);
    for (uint i = 0; i < ROWS / APART; i++) {
      const uint at = row + i * APART;
      const float4 value = quad_at(x, first_row + at, tokens, base + part, features);
      squares[i] += value * value;
      *(threadgroup float4*)(left + at * STRIDE + part) = value * gain;
    }
    for (uint at = row; at < COLUMNS; at += APART) {
      const uint column = first_column + at;
      *(threadgroup float4*)(gates + at * STRIDE + part) = quad_at(gate, column, hidden, base + part, features);
      *(threadgroup float4*)(ups + at * STRIDE + part) = quad_at(up, column, hidden, base + part, features);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    multiply(left + down * STRIDE, gates + across * STRIDE, gate_sums);
    multiply(left + down * STRIDE, ups + across * STRIDE, up_sums);
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }

  // The eight threads of a row are neighbouring lanes.
  for (uint i = 0; i < ROWS / APART; i++) {
    float square = (squares[i].x + squares[i].y) + (squares[i].z + squares[i].w);
    for (ushort mask = QUADS / 2; mask > 0; mask /= 2) square += simd_shuffle_xor(square, mask);
    if (part == 0) root[row + i * APART] = precise::rsqrt(square / float(features) + 1e-6f);
  }
  threadgroup float* gate_tile = (threadgroup float*)memory;
  threadgroup float* up_tile = gate_tile + ROWS * WIDE;
  put(gate_sums, gate_tile + down * WIDE + across);
  put(up_sums, up_tile + down * WIDE + across);
  threadgroup_barrier(mem_flags::mem_threadgroup);

  const uint column = thread_index % (COLUMNS / 4) * 4;
  for (uint at = thread_index / (COLUMNS / 4); at < ROWS; at += THREADS / (COLUMNS / 4)) {
    if (first_row + at >= tokens || first_column + column >= hidden) continue;
    const float4 g = *(threadgroup const float4*)(gate_tile + at * WIDE + column) * root[at];
    const float4 u = *(threadgroup const float4*)(up_tile + at * WIDE + column) * root[at];
    *(device float4*)(out + (first_row + at) * hidden + first_column + column) = g / (1.0f + precise::exp(-g)) * u;
  }
}

// out = x + gated · downᵀ. gated: (tokens, hidden), weight: (features, hidden).
[[max_total_threads_per_threadgroup(THREADS)]]
kernel void down_add(device const float* gated, device const float* weight, device const float* x, device float* out,
                     constant uint& tokens, constant uint& features, constant uint& hidden,
                     uint2 group [[threadgroup_position_in_grid]],
                     uint thread_index [[thread_index_in_threadgroup]],
                     uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float4 memory[(ROWS + COLUMNS) * STRIDE / 4];  // operands; the sums afterwards are fewer
  threadgroup float* left = (threadgroup float*)memory;
  threadgroup float* right = left + ROWS * STRIDE;
  const uint first_row = group.y * ROWS, first_column = group.x * COLUMNS;
  const uint down = simdgroup / 2 * 32, across = simdgroup % 2 * 16;
  const uint row = thread_index / QUADS, part = thread_index % QUADS * 4;

  simdgroup_float8x8 sums[4][2];
  clear(sums);
  for (uint base = 0; base < hidden; base += DEPTH) {
    for (uint at = row; at < ROWS; at += APART) {
      *(threadgroup float4*)(left + at * STRIDE + part) = quad_at(gated, first_row + at, tokens, base + part, hidden);
    }
    for (uint at = row; at < COLUMNS; at += APART) {
      *(threadgroup float4*)(right + at * STRIDE + part) =
          quad_at(weight, first_column + at, features, base + part, hidden);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    multiply(left + down * STRIDE, right + across * STRIDE, sums);
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  threadgroup float* tile = (threadgroup float*)memory;
  put(sums, tile + down * WIDE + across);
  threadgroup_barrier(mem_flags::mem_threadgroup);

  const uint column = thread_index % (COLUMNS / 4) * 4;
  for (uint at = thread_index / (COLUMNS / 4); at < ROWS; at += THREADS / (COLUMNS / 4)) {
    if (first_row + at >= tokens || first_column + column >= features) continue;
    const uint place = (first_row + at) * features + first_column + column;
    *(device float4*)(out + place) = *(device const float4*)(x + place) +
                                     *(threadgroup const float4*)(tile + at * WIDE + column);
  }
}
"""

LIBRARY = torch.mps.compile_shader(SOURCE)
ROWS, COLUMNS, THREADS = 64, 32, 128


def dense(x):
    """Contiguous, and starting on 16 bytes as float4 wants it: a view may start anywhere in its memory."""
    x = x.contiguous()
    return x.clone() if x.storage_offset() % 4 else x


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        if features % 4 or hidden % 4:
            raise ValueError(f"multiples of 4 are needed, not {features} features and {hidden} hidden ones")
        self.weight = nn.Parameter(torch.ones(features))
        self.gate = nn.Linear(features, hidden, bias=False)
        self.up = nn.Linear(features, hidden, bias=False)
        self.down = nn.Linear(hidden, features, bias=False)

    def forward(self, x):
        x = dense(x)
        features, hidden = self.down.out_features, self.down.in_features
        tokens = x.numel() // features
        gated = torch.empty(tokens, hidden, dtype=x.dtype, device=x.device)
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        blocks, shape = -(-tokens // ROWS), {"group_size": (THREADS, 1), "arg_casts": "int32"}
        threads = (-(-hidden // COLUMNS) * THREADS, blocks)
        LIBRARY.gated(
            x, self.weight, self.gate.weight, self.up.weight, gated, tokens, features, hidden, threads=threads, **shape
        )
        threads = (-(-features // COLUMNS) * THREADS, blocks)
        LIBRARY.down_add(gated, self.down.weight, x, out, tokens, features, hidden, threads=threads, **shape)
        return out
