// simdgroup_barrier does not wait for other SIMD-groups.
// kernel: swap_halves
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
// expect: race line 15 other 17
// expect: uninitialized line 17
// expect: race line 17 other 15
#include <metal_stdlib>
using namespace metal;

kernel void swap_halves(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[64];
  shared[i] = in[i];
  simdgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[i ^ 32];
}
