// Runs out of one threadgroup variable towards the next.
// kernel: two_arrays
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: out_of_bounds line 16 thread 16
#include <metal_stdlib>
using namespace metal;

kernel void two_arrays(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float first[16];
  threadgroup float second[32];
  threadgroup float* target = first;
  second[i] = 0.0f;
  target[i] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = second[i];
}
