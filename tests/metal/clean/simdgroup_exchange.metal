// SIMD-groups exchange among themselves with simdgroup_barrier.
// kernel: swap_pairs
// buffer 0: float 128 zero
// buffer 1: float 128 ramp
// threads: 128
// group: 128
#include <metal_stdlib>
using namespace metal;

kernel void swap_pairs(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[128];
  shared[i] = in[i];
  simdgroup_barrier(mem_flags::mem_threadgroup);
  const float other = shared[i ^ 1];
  simdgroup_barrier(mem_flags::mem_threadgroup);
  shared[i] = other + 1.0f;
  simdgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[i ^ 16];
}
