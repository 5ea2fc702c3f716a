// Fills one array and reads the other.
// kernel: mixed_up
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: uninitialized line 16
#include <metal_stdlib>
using namespace metal;

kernel void mixed_up(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float rows[32];
  threadgroup float columns[32];
  rows[i] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = rows[31 - i] + columns[i];
}
