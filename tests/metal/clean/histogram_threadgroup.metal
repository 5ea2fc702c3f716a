// A histogram in threadgroup memory that is then added to the whole.
// kernel: histogram
// buffer 0: uint 16 zero
// buffer 1: uint 512 ramp
// threads: 512
// group: 128
#include <metal_stdlib>
using namespace metal;

kernel void histogram(device atomic_uint* bins, device const uint* in, uint i [[thread_position_in_grid]],
                      uint l [[thread_position_in_threadgroup]]) {
  threadgroup atomic_uint local_bins[16];
  if (l < 16) atomic_store_explicit(&local_bins[l], 0u, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  atomic_fetch_add_explicit(&local_bins[in[i] * 7 % 16], 1u, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (l < 16) {
    const uint count = atomic_load_explicit(&local_bins[l], memory_order_relaxed);
    atomic_fetch_add_explicit(&bins[l], count, memory_order_relaxed);
  }
}
