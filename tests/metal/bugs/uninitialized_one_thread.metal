// One thread forgets to write its slot.
// kernel: forgetful
// buffer 0: float 256 zero
// buffer 1: float 256 ramp
// threads: 256
// group: 128
// expect: uninitialized line 16 thread 7
#include <metal_stdlib>
using namespace metal;

kernel void forgetful(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                      uint l [[thread_position_in_threadgroup]]) {
  threadgroup float shared[128];
  if (l != 7) shared[l] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[l];
}
