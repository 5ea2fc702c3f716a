// The same with shuffles, over a SIMD-group that is not full.
// kernel: reduce
// buffer 0: float 1 zero
// buffer 1: float 24 ramp
// threads: 24
// group: 24
#include <metal_stdlib>
using namespace metal;

kernel void reduce(device float* out, device const float* in, uint lane [[thread_index_in_simdgroup]]) {
  float value = in[lane];
  for (ushort delta = 16; delta > 0; delta /= 2) {
    const float other = simd_shuffle_down(value, delta);
    if (lane + delta < 24) value += other;
  }
  if (lane == 0) out[0] = value;
}
