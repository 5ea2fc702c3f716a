// A lock around a counter in threadgroup memory: fences order what it protects.
// kernel: locked
// buffer 0: uint 1 zero
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void locked(device uint* out, uint l [[thread_position_in_threadgroup]]) {
  threadgroup atomic_uint lock;
  threadgroup uint counter;
  if (l == 0) {
    atomic_store_explicit(&lock, 0u, memory_order_relaxed);
    counter = 0;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  bool done = false;
  while (!done) {
    if (atomic_exchange_explicit(&lock, 1u, memory_order_relaxed) == 0) {
      atomic_thread_fence(mem_flags::mem_threadgroup, memory_order_seq_cst, thread_scope_threadgroup);
      counter += 1;
      atomic_thread_fence(mem_flags::mem_threadgroup, memory_order_seq_cst, thread_scope_threadgroup);
      atomic_store_explicit(&lock, 0u, memory_order_relaxed);
      done = true;
    }
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (l == 0) out[0] = counter;
}
