// One SIMD-group waits in a loop for a flag that the other one sets.
// kernel: hand_over
// buffer 0: float 32 zero
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void hand_over(device float* out, uint l [[thread_position_in_threadgroup]]) {
  threadgroup float shared[32];
  threadgroup atomic_uint flags[32];
  if (l < 32) atomic_store_explicit(&flags[l], 0u, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (l >= 32) {
    shared[l - 32] = float(l);
    atomic_thread_fence(mem_flags::mem_threadgroup, memory_order_seq_cst, thread_scope_threadgroup);
    atomic_store_explicit(&flags[l - 32], 1u, memory_order_relaxed);
  } else {
    while (atomic_load_explicit(&flags[l], memory_order_relaxed) == 0) {
    }
    atomic_thread_fence(mem_flags::mem_threadgroup, memory_order_seq_cst, thread_scope_threadgroup);
    out[l] = shared[l];
  }
}
