// Counts with atomics and reads the counter without.
// kernel: ticket
// buffer 0: uint 64 zero
// threads: 64
// group: 64
// expect: race line 14 other 16
#include <metal_stdlib>
using namespace metal;

kernel void ticket(device uint* out, uint i [[thread_position_in_grid]]) {
  threadgroup atomic_uint counter;
  if (i == 0) atomic_store_explicit(&counter, 0u, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  atomic_fetch_add_explicit(&counter, 1u, memory_order_relaxed);
  threadgroup const uint* plain = (threadgroup const uint*)&counter;
  out[i] = *plain;
}
