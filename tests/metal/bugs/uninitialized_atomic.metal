// A counter in threadgroup memory that nobody sets to zero.
// kernel: count_positive
// buffer 0: uint 2 zero
// buffer 1: float 128 ramp
// threads: 128
// group: 64
// expect: uninitialized line 14 thread 1
#include <metal_stdlib>
using namespace metal;

kernel void count_positive(device uint* out, device const float* in, uint i [[thread_position_in_grid]],
                           uint l [[thread_position_in_threadgroup]], uint g [[threadgroup_position_in_grid]]) {
  threadgroup atomic_uint counter;
  if (in[i] > 0.0f) atomic_fetch_add_explicit(&counter, 1u, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (l == 0) out[g] = atomic_load_explicit(&counter, memory_order_relaxed);
}
