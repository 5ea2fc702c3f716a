// Lanes that have returned do not count for the sum of the others.
// kernel: partial
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void partial(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  if (i >= 40) return;
  out[i] = simd_sum(in[i]);
}
