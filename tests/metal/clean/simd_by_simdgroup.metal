// SIMD-groups take different ways, each as a whole.
// kernel: either
// buffer 0: float 128 zero
// buffer 1: float 128 random
// threads: 128
// group: 128
#include <metal_stdlib>
using namespace metal;

kernel void either(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                   uint simd [[simdgroup_index_in_threadgroup]]) {
  float value = in[i];
  for (uint k = 0; k < simd; k++) value = simd_shuffle_xor(value, 1) + 1.0f;
  if (simd % 2 == 0) value = simd_sum(value);
  else value = simd_max(value);
  out[i] = value;
}
