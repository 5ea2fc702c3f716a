// Hillis and Steele's scan with two buffers and one barrier for each step.
// kernel: scan
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void scan(device float* out, device const float* in, uint l [[thread_position_in_threadgroup]]) {
  threadgroup float buffers[2][64];
  uint from = 0;
  buffers[0][l] = in[l];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint step = 1; step < 64; step *= 2) {
    const float value = buffers[from][l] + (l >= step ? buffers[from][l - step] : 0.0f);
    buffers[1 - from][l] = value;
    from = 1 - from;
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  out[l] = buffers[from][l];
}
