// Past the end through a pointer to threadgroup memory.
// kernel: reversed
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: out_of_bounds line 12 thread 0
#include <metal_stdlib>
using namespace metal;

static float from_end(threadgroup const float* values, uint n, uint i) {
  return values[n - i];
}

kernel void reversed(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[32];
  shared[i] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = from_end(shared, 32, i);
}
