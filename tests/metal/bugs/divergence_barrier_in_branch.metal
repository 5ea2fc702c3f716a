// A barrier that 40 of 64 threads reach.
// kernel: some
// buffer 0: float 64 zero
// threads: 64
// group: 64
// expect: divergence line 12
#include <metal_stdlib>
using namespace metal;

kernel void some(device float* out, uint i [[thread_position_in_grid]]) {
  if (i < 40) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  out[i] = 1.0f;
}
