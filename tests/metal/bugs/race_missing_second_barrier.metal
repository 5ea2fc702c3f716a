// A loop over tiles that fills the next tile while others still read this one.
// kernel: tiles
// buffer 0: float 32 zero
// buffer 1: float 128 ramp
// threads: 32
// group: 32
// expect: race line 16 other 19
// expect: race line 19 other 16
#include <metal_stdlib>
using namespace metal;

kernel void tiles(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float tile[32];
  float sum = 0.0f;
  for (uint t = 0; t < 4; t++) {
    tile[i] = in[t * 32 + i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint k = 0; k < 32; k++) {
      sum += tile[k];
    }
  }
  out[i] = sum;
}
