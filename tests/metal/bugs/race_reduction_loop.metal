// A tree reduction that forgot the barrier inside its loop.
// kernel: sum
// buffer 0: float 1 zero
// buffer 1: float 128 ramp
// threads: 128
// group: 128
// expect: race line 16 other 16
#include <metal_stdlib>
using namespace metal;

kernel void sum(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[128];
  shared[i] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint step = 64; step > 0; step /= 2) {
    if (i < step) shared[i] += shared[i + step];
  }
  if (i == 0) out[0] = shared[0];
}
