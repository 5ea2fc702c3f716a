// Both halves wait, each at a barrier of its own.
// kernel: halves
// buffer 0: float 64 zero
// threads: 64
// group: 64
// expect: divergence line 14 other 17
#include <metal_stdlib>
using namespace metal;

kernel void halves(device float* out, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[64];
  shared[i] = 1.0f;
  if (i < 32) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[i] = shared[i];
  } else {
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[i] = 2.0f * shared[i];
  }
}
