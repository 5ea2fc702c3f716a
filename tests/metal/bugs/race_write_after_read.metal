// Writes back before all others have read.
// kernel: shift_and_scale
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
// expect: race line 17 other 16
// expect: race line 16 other 17
#include <metal_stdlib>
using namespace metal;

kernel void shift_and_scale(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[64];
  shared[i] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const float right = shared[(i + 1) % 64];
  shared[i] = 2.0f * right;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[63 - i];
}
