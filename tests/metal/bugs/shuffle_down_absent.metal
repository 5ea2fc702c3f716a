// A reduction of 16 threads that begins with the distance of a full SIMD-group.
// kernel: total
// buffer 0: float 1 zero
// buffer 1: float 16 ramp
// threads: 16
// group: 16
// expect: shuffle line 14 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void total(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float value = in[i];
  for (ushort delta = 16; delta > 0; delta /= 2) {
    value += simd_shuffle_down(value, delta);
  }
  if (i == 0) out[0] = value;
}
