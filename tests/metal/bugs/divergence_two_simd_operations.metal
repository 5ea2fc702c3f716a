// One half asks for the sum, the other for the largest.
// kernel: either
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: divergence line 14 other 16
#include <metal_stdlib>
using namespace metal;

kernel void either(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float value = in[i];
  if (i < 16)
    value = simd_sum(value);
  else
    value = simd_max(value);
  out[i] = value;
}
