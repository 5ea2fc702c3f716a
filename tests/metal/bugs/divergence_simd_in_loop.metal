// A simd operation in a loop whose length depends on the lane; a later one for all.
// kernel: rows_of_different_length
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: divergence line 14 other 16
#include <metal_stdlib>
using namespace metal;

kernel void rows_of_different_length(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float sum = 0.0f;
  for (uint k = 0; k <= i / 16; k++) {
    sum += simd_max(in[i]);
  }
  out[i] = simd_sum(sum);
}
