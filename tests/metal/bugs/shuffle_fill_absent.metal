// The filling comes in at lane 32 only: lanes 20 to 31 have no thread.
// kernel: next
// buffer 0: float 20 zero
// buffer 1: float 20 ramp
// threads: 20
// group: 20
// expect: shuffle line 12 thread 19
#include <metal_stdlib>
using namespace metal;

kernel void next(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  out[i] = simd_shuffle_and_fill_down(in[i], -1.0f, 1);
}
