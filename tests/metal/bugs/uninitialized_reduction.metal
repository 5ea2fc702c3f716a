// A reduction over 64 slots with 48 threads.
// kernel: reduce
// buffer 0: float 1 zero
// buffer 1: float 48 ramp
// threads: 48
// group: 48
// expect: uninitialized line 17
#include <metal_stdlib>
using namespace metal;

kernel void reduce(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[64];
  shared[i] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint half_size = 32; half_size > 0; half_size /= 2) {
    if (i < half_size) {
      shared[i] += shared[i + half_size];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  if (i == 0) out[0] = shared[0];
}
