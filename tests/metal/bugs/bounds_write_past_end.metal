// Writes twice as far as the output is long.
// kernel: spread
// buffer 0: float 128 zero
// buffer 1: float 128 ramp
// threads: 128
// group: 32
// expect: out_of_bounds line 12 buffer 0 thread 0 threadgroup 2 0 0
#include <metal_stdlib>
using namespace metal;

kernel void spread(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  out[2 * i] = in[i];
}
