// A butterfly that begins with a mask of 32.
// kernel: butterfly
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: shuffle line 14 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void butterfly(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float value = in[i];
  for (ushort mask = 32; mask > 0; mask /= 2) {
    value += simd_shuffle_xor(value, mask);
  }
  out[i] = value;
}
