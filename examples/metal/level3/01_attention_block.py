"""Causal attention with an online softmax on 8 × 8 matrices; scores and weights never reach device memory.

Fuses: splitting into heads, scores, scale, mask, softmax, mixing and joining of heads. Layer norm and the two linear
layers stay with torch, whose matrix products on a Mac are Apple's own.
Moves: query, key and value once per 32 queries of a head, and the result: about 17 MB for 4 × 256 × 384 in 6 heads,
most of it from the cache. Eager writes and reads scores, scaled and masked scores and weights (6 MB each).
Why so: FlashAttention's algorithm (Dao et al. 2022, arXiv:2205.14135; running maximum by Milakov and Gimelshein). Four
SIMD-groups share the keys and values of a block of 32 in threadgroup memory, each with 8 queries of its own; its
queries and results are 8 matrices each (32 registers). Keys and values use the same memory one after the other: 13 KiB,
so that four threadgroups instead of two fit into a core's 60 KB (measured by the metal-benchmarks project), which hides
more than two more barriers cost. Blocks above the diagonal are left out.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

// FEATURES: of a head, a multiple of 8.
constant constexpr uint MATRICES = FEATURES / 8;
constant constexpr uint KEYS = 32;                // of a block
constant constexpr uint QUERIES = 32;             // of a threadgroup; 8 for each SIMD-group
constant constexpr uint STRIDE = FEATURES + 4;    // rows start on 16 bytes, and 4 banks apart
constant constexpr uint SCORES = KEYS + 4;
constant constexpr uint THREADS = 128;

// KEYS rows of one head, of all threads, from `first` on; zeros beyond the last token.
inline void load_block(device const float* source, threadgroup float* block, uint first, uint tokens, uint row_floats,
                       uint thread_index) {
  for (uint i = thread_index; i < KEYS * FEATURES / 4; i += THREADS) {
    const uint row = i / (FEATURES / 4), column = i % (FEATURES / 4) * 4;
    *(threadgroup float4*)(block + row * STRIDE + column) =
        first + row < tokens ? *(device const float4*)(source + (first + row) * row_floats + column) : float4(0.0f);
  }
}

// qkv: (batch, tokens, 3, heads, FEATURES) as the linear layer leaves it; out: (batch, tokens, heads, FEATURES).
// The grid: blocks of queries, heads, batch.
[[max_total_threads_per_threadgroup(THREADS)]]
kernel void attention(device const float* qkv, device float* out, constant uint& tokens, constant uint& heads,
                      constant float& scale, uint3 group [[threadgroup_position_in_grid]],
                      uint thread_index [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                      uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float4 block_memory[KEYS * STRIDE / 4];
  threadgroup float4 score_memory[QUERIES * SCORES / 4];
  threadgroup float* block = (threadgroup float*)block_memory;
  threadgroup float* scores = (threadgroup float*)score_memory + simdgroup * 8 * SCORES;  // 8 × KEYS, of one SIMD-group

  const uint width = heads * FEATURES, row_floats = 3 * width, first_query = group.x * QUERIES;
  device const float* query = qkv + group.z * tokens * row_floats + group.y * FEATURES;
  device const float* key = query + width;
  device const float* value = key + width;

  // Queries through the block, so that rows beyond the last token are zeros without a condition for each matrix.
  load_block(query, block, first_query, tokens, row_floats, thread_index);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  simdgroup_float8x8 q[MATRICES], o[MATRICES];
  for (uint d = 0; d < MATRICES; d++) {
    simdgroup_load(q[d], block + simdgroup * 8 * STRIDE + d * 8, STRIDE);
    o[d] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  }

  // Four lanes for each query: each looks after 8 of the 32 scores.
  const uint row = lane / 4, part = lane % 4, mine = first_query + simdgroup * 8 + row;
  float largest = -INFINITY, sum = 0.0f;

  // Up to the last query's own block. Each query sees key 0, so after the first block `largest` is finite.
  for (uint first_key = 0; first_key < min(first_query + QUERIES, tokens); first_key += KEYS) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
    load_block(key, block, first_key, tokens, row_floats, thread_index);
    threadgroup_barrier(mem_flags::mem_threadgroup);

    for (uint j = 0; j < KEYS / 8; j++) {
      simdgroup_float8x8 s = make_filled_simdgroup_matrix<float, 8, 8>(0.0f), k;
      for (uint d = 0; d < MATRICES; d++) {
        simdgroup_load(k, block + j * 8 * STRIDE + d * 8, STRIDE, ulong2(0), true);
        simdgroup_multiply_accumulate(s, q[d], k, s);
      }
      simdgroup_store(s, scores + j * 8, SCORES);
    }
    simdgroup_barrier(mem_flags::mem_threadgroup);  // a SIMD-group's scores concern nobody else

    float weight[8], top = -INFINITY;
    for (uint j = 0; j < 8; j++) {
      // Columns part, part + 4, …: the four lanes of a row read side by side.
      const uint column = part + j * 4;
      weight[j] = first_key + column <= mine ? scores[row * SCORES + column] * scale : -INFINITY;
      top = max(top, weight[j]);
    }
    top = max(top, simd_shuffle_xor(top, 1));
    top = max(largest, max(top, simd_shuffle_xor(top, 2)));
    const float shrink = precise::exp(largest - top);  // 0 at first
    float added = 0.0f;
    for (uint j = 0; j < 8; j++) {
      weight[j] = precise::exp(weight[j] - top);  // 0 where masked
      added += weight[j];
      scores[row * SCORES + part + j * 4] = weight[j];
    }
    added += simd_shuffle_xor(added, 1);
    added += simd_shuffle_xor(added, 2);
    sum = sum * shrink + added;
    largest = top;

    threadgroup_barrier(mem_flags::mem_threadgroup);  // keys are done with, weights are written
    load_block(value, block, first_key, tokens, row_floats, thread_index);
    simdgroup_float8x8 w[KEYS / 8];
    for (uint j = 0; j < KEYS / 8; j++) simdgroup_load(w[j], scores + j * 8, SCORES);

    // Rows are scaled by a product with a diagonal matrix: which lane holds which element is not documented. Maxima
    // settle after a few blocks, and then nothing is to be done.
    if (simd_any(shrink != 1.0f)) {
      simdgroup_barrier(mem_flags::mem_threadgroup);
      scores[row * SCORES + part] = row == part ? shrink : 0.0f;
      scores[row * SCORES + part + 4] = row == part + 4 ? shrink : 0.0f;
      simdgroup_barrier(mem_flags::mem_threadgroup);
      simdgroup_float8x8 diagonal, scaled;
      simdgroup_load(diagonal, scores, SCORES);
      for (uint d = 0; d < MATRICES; d++) {
        simdgroup_multiply(scaled, diagonal, o[d]);
        o[d] = scaled;
      }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);

    for (uint j = 0; j < KEYS / 8; j++) {
      simdgroup_float8x8 v;
      for (uint d = 0; d < MATRICES; d++) {
        simdgroup_load(v, block + j * 8 * STRIDE + d * 8, STRIDE);
        simdgroup_multiply_accumulate(o[d], w[j], v, o[d]);
      }
    }
  }

  threadgroup_barrier(mem_flags::mem_threadgroup);
  threadgroup float* result = block + simdgroup * 8 * STRIDE;
  for (uint d = 0; d < MATRICES; d++) simdgroup_store(o[d], result + d * 8, STRIDE);
  simdgroup_barrier(mem_flags::mem_threadgroup);
  if (mine >= tokens) return;
  device float* target = out + (group.z * tokens + mine) * width + group.y * FEATURES;
  for (uint i = part; i < FEATURES / 4; i += 4) {
    ((device float4*)target)[i] = *(threadgroup const float4*)(result + row * STRIDE + i * 4) / sum;
  }
}
"""

QUERIES, THREADS = 32, 128


class ModelNew(nn.Module):
    def __init__(self, features, heads, tokens):
        super().__init__()
        if features % (8 * heads):
            raise ValueError(f"heads of a multiple of 8 features are needed, not {features} features in {heads} heads")
        self.heads = heads
        self.norm = nn.LayerNorm(features)
        self.project_in = nn.Linear(features, 3 * features)
        self.project_out = nn.Linear(features, features)
        # The mask is causal by construction and not part of the state: the kernel compares positions instead.
        self.library = torch.mps.compile_shader(f"#define FEATURES {features // heads}\n{SOURCE}")

    def forward(self, x):
        batch, tokens, features = x.shape
        qkv = self.project_in(self.norm(x)).contiguous()
        mixed = torch.empty(batch, tokens, features, dtype=x.dtype, device=x.device)
        blocks = -(-tokens // QUERIES)
        scale = (features // self.heads) ** -0.5
        self.library.attention(
            qkv, mixed, tokens, self.heads, scale,
            threads=(blocks * THREADS, self.heads, batch), group_size=(THREADS, 1, 1),
            arg_casts={2: "int32", 3: "int32"},
        )  # fmt: skip
        return x + self.project_out(mixed)
