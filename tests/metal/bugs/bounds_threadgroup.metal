// The right neighbour's slot of threadgroup memory.
// kernel: neighbours
// buffer 0: float 128 zero
// buffer 1: float 128 ramp
// threads: 128
// group: 64
// expect: out_of_bounds line 16 thread 63
#include <metal_stdlib>
using namespace metal;

kernel void neighbours(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                       uint l [[thread_position_in_threadgroup]]) {
  threadgroup float shared[64];
  shared[l] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[l] + shared[l + 1];
}
