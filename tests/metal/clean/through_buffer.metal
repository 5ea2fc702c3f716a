// Threads of a threadgroup exchange through a buffer, with a barrier for device memory.
// kernel: reverse
// buffer 0: float 128 zero
// buffer 1: float 128 zero
// threads: 128
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void reverse(device float* out, device float* scratch, uint i [[thread_position_in_grid]]) {
  scratch[i] = float(i);
  threadgroup_barrier(mem_flags::mem_device);
  out[i] = scratch[i ^ 63];
}
