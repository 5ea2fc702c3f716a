// One barrier for both kinds of memory.
// kernel: exchange
// buffer 0: float 64 zero
// buffer 1: float 64 zero
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void exchange(device float* out, device float* scratch, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[64];
  scratch[i] = float(i);
  shared[i] = 2.0f * float(i);
  threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
  out[i] = scratch[63 - i] + shared[63 - i];
}
