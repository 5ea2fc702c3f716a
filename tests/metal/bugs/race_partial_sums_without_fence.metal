// The last threadgroup reads the others' sums, but nobody's fence says that they are there.
// kernel: grand_total
// buffer 0: float 5 zero
// buffer 1: float 128 ramp
// buffer 2: uint 1 zero
// threads: 128
// group: 32
// expect: race line 22 other 18 buffer 0
#include <metal_stdlib>
using namespace metal;

kernel void grand_total(device float* sums [[buffer(0)]], device const float* in [[buffer(1)]],
                        device atomic_uint* done [[buffer(2)]], uint i [[thread_position_in_grid]],
                        uint l [[thread_position_in_threadgroup]], uint g [[threadgroup_position_in_grid]],
                        uint groups [[threadgroups_per_grid]]) {
  const float sum = simd_sum(in[i]);
  if (l != 0) return;
  sums[1 + g] = sum;
  if (atomic_fetch_add_explicit(done, 1u, memory_order_relaxed) + 1 == groups) {
    float total = 0.0f;
    for (uint k = 0; k < groups; k++) {
      total += sums[1 + k];
    }
    sums[0] = total;
  }
}
