// A barrier that orders no memory at all.
// kernel: reverse
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
// expect: race line 15 other 13
#include <metal_stdlib>
using namespace metal;

kernel void reverse(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[64];
  shared[i] = in[i];
  threadgroup_barrier(mem_flags::mem_none);
  out[i] = shared[63 - i];
}
