"""Layer norm over the last dimension, each row read once and written once.

Fuses: mean, variance, normalisation, scale and shift.
Moves: 8 bytes per element, 64 MiB for 4096 × 2048; scale and shift (16 KiB) stay in the cache. Eager's layer norm is
one operator too and moves as much at best; there is little to win, and this shows how not to lose it.
Why so: 16 floats per thread are kept in registers between the passes, so the variance is computed from differences to
the finished mean (two passes, no cancellation) without a second read. 2048 features are four SIMD-groups: small
threadgroups, many of which share a core, so that one computes while others wait for memory or for their barrier.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

constant constexpr uint KEPT = 4;  // float4 that a thread keeps

// Every SIMD-group sums up the sums of all: one barrier, no broadcast. `scratch` must be used by no other call.
inline float sum_of_group(float value, threadgroup float* scratch, uint lane, uint simdgroup, uint simdgroups) {
  value = simd_sum(value);
  if (lane == 0) scratch[simdgroup] = value;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return simd_sum(lane < simdgroups ? scratch[lane] : 0.0f);
}
inline float sum_of(float4 v) { return (v.x + v.y) + (v.z + v.w); }

[[max_total_threads_per_threadgroup(1024)]]
kernel void layer_norm_kept(device const float4* x, device const float4* weight, device const float4* bias,
                            device float4* out, constant uint& quads, constant float& epsilon,
                            uint row [[threadgroup_position_in_grid]],
                            uint thread_index [[thread_position_in_threadgroup]],
                            uint threads [[threads_per_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                            uint simdgroup [[simdgroup_index_in_threadgroup]],
                            uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float sums[32], squares[32];
  x += row * quads;
  out += row * quads;
  const float features = 4.0f * quads;

  float4 kept[KEPT];
  float4 sum = float4(0.0f);
  for (uint i = 0; i < KEPT; i++) {
    const uint quad = thread_index + i * threads;
    kept[i] = quad < quads ? x[quad] : float4(0.0f);
    sum += kept[i];
  }
  const float mean = sum_of_group(sum_of(sum), sums, lane, simdgroup, simdgroups) / features;

  float4 square = float4(0.0f);
  for (uint i = 0; i < KEPT; i++) {
    kept[i] -= mean;
    if (thread_index + i * threads < quads) square += kept[i] * kept[i];
  }
  const float variance = sum_of_group(sum_of(square), squares, lane, simdgroup, simdgroups) / features;
  const float scale = precise::rsqrt(variance + epsilon);

  for (uint i = 0; i < KEPT; i++) {
    const uint quad = thread_index + i * threads;
    if (quad < quads) out[quad] = kept[i] * scale * weight[quad] + bias[quad];
  }
}

// Rows that are too long to keep, or that do not start on 16 bytes: read three times, the last two from the cache.
[[max_total_threads_per_threadgroup(1024)]]
kernel void layer_norm_any(device const float* x, device const float* weight, device const float* bias,
                           device float* out, constant uint& features, constant float& epsilon,
                           uint row [[threadgroup_position_in_grid]],
                           uint thread_index [[thread_position_in_threadgroup]],
                           uint threads [[threads_per_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                           uint simdgroup [[simdgroup_index_in_threadgroup]],
                           uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float sums[32], squares[32];
  x += row * features;
  out += row * features;
  float sum = 0.0f;
  for (uint i = thread_index; i < features; i += threads) sum += x[i];
  const float mean = sum_of_group(sum, sums, lane, simdgroup, simdgroups) / float(features);
  float square = 0.0f;
  for (uint i = thread_index; i < features; i += threads) square += (x[i] - mean) * (x[i] - mean);
  const float variance = sum_of_group(square, squares, lane, simdgroup, simdgroups) / float(features);
  const float scale = precise::rsqrt(variance + epsilon);
  for (uint i = thread_index; i < features; i += threads) out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}
"""

LIBRARY = torch.mps.compile_shader(SOURCE)
KEPT_FLOATS = 16


def dense(x):
    """Contiguous, and starting on 16 bytes as float4 wants it: a view may start anywhere in its memory."""
    x = x.contiguous()
    return x.clone() if x.storage_offset() % 4 else x


class ModelNew(nn.Module):
    def __init__(self, features, epsilon):
        super().__init__()
        self.norm = nn.LayerNorm(features, eps=epsilon)

    def forward(self, x):
        x = dense(x)
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        features = x.shape[-1]
        rows = x.numel() // features
        weight, bias, epsilon = self.norm.weight, self.norm.bias, self.norm.eps
        kept = features % 4 == 0 and features <= 1024 * KEPT_FLOATS
        kernel = LIBRARY.layer_norm_kept if kept else LIBRARY.layer_norm_any
        group = min(1024, -(-features // (32 * KEPT_FLOATS)) * 32)
        size = features // 4 if kept else features
        kernel(x, weight, bias, out, size, epsilon, threads=rows * group, group_size=group, arg_casts={4: "int32"})
        return out
