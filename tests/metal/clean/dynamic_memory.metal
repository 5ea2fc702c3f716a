// Threadgroup memory that the launch gives.
// kernel: stage
// buffer 0: float 128 zero
// buffer 1: float 128 ramp
// threadgroup 0: 256
// threads: 128
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void stage(device float* out [[buffer(0)]], device const float* in [[buffer(1)]],
                  threadgroup float* staged [[threadgroup(0)]], uint i [[thread_position_in_grid]],
                  uint l [[thread_position_in_threadgroup]]) {
  staged[l] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = staged[63 - l];
}
