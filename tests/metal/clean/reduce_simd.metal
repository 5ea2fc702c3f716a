// A sum for each SIMD-group, then one over the sums.
// kernel: reduce
// buffer 0: float 2 zero
// buffer 1: float 512 ramp
// threads: 512
// group: 256
#include <metal_stdlib>
using namespace metal;

kernel void reduce(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                   uint g [[threadgroup_position_in_grid]], uint lane [[thread_index_in_simdgroup]],
                   uint simd [[simdgroup_index_in_threadgroup]], uint simds [[simdgroups_per_threadgroup]]) {
  threadgroup float sums[32];
  const float mine = simd_sum(in[i]);
  if (lane == 0) sums[simd] = mine;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (simd == 0) {
    const float total = simd_sum(lane < simds ? sums[lane] : 0.0f);
    if (lane == 0) out[g] = total;
  }
}
