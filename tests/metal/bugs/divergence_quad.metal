// Two lanes of each quad exchange, the others do not.
// kernel: quads
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: divergence line 13 other 14
#include <metal_stdlib>
using namespace metal;

kernel void quads(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float value = in[i];
  if (i % 4 < 2) value = quad_sum(value);
  out[i] = simd_sum(value);
}
