// The last threadgroup is smaller, and its barrier is for those that are there.
// kernel: reverse
// buffer 0: float 100 zero
// buffer 1: float 100 ramp
// threads: 100
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void reverse(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                    uint l [[thread_position_in_threadgroup]], uint size [[threads_per_threadgroup]]) {
  threadgroup float shared[64];
  shared[l] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[size - 1 - l];
}
