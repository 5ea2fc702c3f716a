// Reads what another thread writes, with nothing between.
// kernel: rotate_left
// buffer 0: float 128 zero
// buffer 1: float 128 ramp
// threads: 128
// group: 128
// expect: race line 15 other 16
// expect: uninitialized line 16
// expect: race line 16 other 15
#include <metal_stdlib>
using namespace metal;

kernel void rotate_left(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[128];
  shared[i] = in[i];
  out[i] = shared[(i + 1) % 128];
}
