// Threads of one SIMD-group are not in step either, unless a simdgroup_barrier says so.
// kernel: swap_pairs
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: race line 15 other 16
// expect: uninitialized line 16
// expect: race line 16 other 15
#include <metal_stdlib>
using namespace metal;

kernel void swap_pairs(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[32];
  shared[i] = in[i];
  out[i] = shared[i ^ 1];
}
