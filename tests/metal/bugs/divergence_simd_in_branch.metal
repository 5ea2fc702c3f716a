// A sum over the odd lanes only, while the even ones are at the barrier.
// kernel: odd_sum
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: divergence line 14 other 16
#include <metal_stdlib>
using namespace metal;

kernel void odd_sum(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float value = in[i];
  if (i % 2 == 1) {
    value = simd_sum(value);
  }
  threadgroup_barrier(mem_flags::mem_none);
  out[i] = value;
}
