// Half of the SIMD-group waits for itself.
// kernel: half_waits
// buffer 0: float 32 zero
// threads: 32
// group: 32
// expect: divergence line 11 other 12
#include <metal_stdlib>
using namespace metal;

kernel void half_waits(device float* out, uint i [[thread_position_in_grid]]) {
  if (i < 16) simdgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = simd_sum(1.0f);
}
