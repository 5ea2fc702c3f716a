// A tile with a border that nobody fills.
// kernel: blur
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
// expect: uninitialized line 15 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void blur(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float tile[66];
  tile[i + 1] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float sum = tile[i];
  sum += tile[i + 1];
  out[i] = sum;
}
