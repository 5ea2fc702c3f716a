// The last threadgroup to finish adds up the sums of all; fences make them visible.
// kernel: grand_total
// buffer 0: float 5 zero
// buffer 1: float 128 ramp
// buffer 2: uint 1 zero
// threads: 128
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void grand_total(device float* sums [[buffer(0)]], device const float* in [[buffer(1)]],
                        device atomic_uint* done [[buffer(2)]], uint i [[thread_position_in_grid]],
                        uint l [[thread_position_in_threadgroup]], uint g [[threadgroup_position_in_grid]],
                        uint groups [[threadgroups_per_grid]]) {
  const float sum = simd_sum(in[i]);
  if (l != 0) return;
  sums[1 + g] = sum;
  atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);
  if (atomic_fetch_add_explicit(done, 1u, memory_order_relaxed) + 1 == groups) {
    atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);
    float total = 0.0f;
    for (uint k = 0; k < groups; k++) total += sums[1 + k];
    sums[0] = total;
  }
}
