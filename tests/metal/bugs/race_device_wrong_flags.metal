// Threads of a threadgroup exchange through a buffer; the barrier orders threadgroup memory only.
// kernel: through_buffer
// buffer 0: float 64 zero
// buffer 1: float 64 zero
// threads: 64
// group: 64
// expect: race line 14 other 12 buffer 1
#include <metal_stdlib>
using namespace metal;

kernel void through_buffer(device float* out, device float* scratch, uint i [[thread_position_in_grid]]) {
  scratch[i] = float(i);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = scratch[63 - i];
}
