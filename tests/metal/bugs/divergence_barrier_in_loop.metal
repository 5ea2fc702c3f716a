// Threads go round a loop with a barrier differently often.
// kernel: rounds
// buffer 0: float 64 zero
// threads: 64
// group: 64
// expect: divergence line 15
#include <metal_stdlib>
using namespace metal;

kernel void rounds(device float* out, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[64];
  shared[i] = 0.0f;
  for (uint k = 0; k < 1 + i / 32; k++) {
    shared[i] += 1.0f;
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  out[i] = shared[i];
}
