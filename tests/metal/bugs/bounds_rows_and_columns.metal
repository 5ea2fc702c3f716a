// The row length is taken from the wrong dimension of a 24 × 40 matrix.
// kernel: transpose
// buffer 0: float 960 zero
// buffer 1: float 960 ramp
// threads: 40 24
// group: 8 8
// expect: out_of_bounds line 14 buffer 1
#include <metal_stdlib>
using namespace metal;

kernel void transpose(device float* out, device const float* in, uint2 at [[thread_position_in_grid]],
                      uint2 size [[threads_per_grid]]) {
  const uint from = at.x * size.x + at.y;
  out[at.x * size.y + at.y] = in[from];
}
