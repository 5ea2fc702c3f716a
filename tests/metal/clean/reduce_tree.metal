// The textbook reduction in threadgroup memory.
// kernel: reduce
// buffer 0: float 4 zero
// buffer 1: float 512 ramp
// threads: 512
// group: 128
#include <metal_stdlib>
using namespace metal;

kernel void reduce(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                   uint l [[thread_position_in_threadgroup]], uint g [[threadgroup_position_in_grid]]) {
  threadgroup float shared[128];
  shared[l] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint step = 64; step > 0; step /= 2) {
    if (l < step) shared[l] += shared[l + step];
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  if (l == 0) out[g] = shared[0];
}
