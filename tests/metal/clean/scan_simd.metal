// Prefix sums of a threadgroup from prefix sums of its SIMD-groups.
// kernel: scan
// buffer 0: float 256 zero
// buffer 1: float 256 ramp
// threads: 256
// group: 128
#include <metal_stdlib>
using namespace metal;

kernel void scan(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                 uint lane [[thread_index_in_simdgroup]], uint simd [[simdgroup_index_in_threadgroup]]) {
  threadgroup float sums[4];
  const float mine = in[i];
  const float inclusive = simd_prefix_inclusive_sum(mine);
  if (lane == 31) sums[simd] = inclusive;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float before = 0.0f;
  for (uint k = 0; k < simd; k++) before += sums[k];
  out[i] = before + simd_prefix_exclusive_sum(mine) + mine;
}
