// All threads of a threadgroup decide alike before they come to a barrier.
// kernel: alternate
// buffer 0: float 128 zero
// threads: 128
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void alternate(device float* out, uint i [[thread_position_in_grid]], uint l [[thread_position_in_threadgroup]],
                      uint g [[threadgroup_position_in_grid]]) {
  threadgroup float shared[32];
  if (g % 2 == 0) {
    shared[l] = float(i);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[i] = shared[31 - l];
  } else {
    out[i] = -1.0f;
  }
}
