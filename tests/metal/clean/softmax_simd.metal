// Softmax with simd reductions, threadgroup memory reused between two of them.
// kernel: softmax
// buffer 0: float 1200 zero
// buffer 1: float 1200 random
// threads: 1536
// group: 128
#include <metal_stdlib>
using namespace metal;

kernel void softmax(device float* out, device const float* in, uint row [[threadgroup_position_in_grid]],
                    uint l [[thread_position_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                    uint simd [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[4];
  const uint n = 100;
  const float value = l < n ? in[row * n + l] : -INFINITY;
  float largest = simd_max(value);
  if (lane == 0) shared[simd] = largest;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  largest = max(max(shared[0], shared[1]), max(shared[2], shared[3]));
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const float e = l < n ? exp(value - largest) : 0.0f;
  const float sum = simd_sum(e);
  if (lane == 0) shared[simd] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const float total = shared[0] + shared[1] + shared[2] + shared[3];
  if (l < n) out[row * n + l] = e / total;
}
