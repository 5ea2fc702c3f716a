// The same from threadgroup memory, half in and float out.
// kernel: matmul
// buffer 0: float 256 zero
// buffer 1: half 256 random
// buffer 2: half 256 random
// threads: 128
// group: 128
#include <metal_stdlib>
using namespace metal;

kernel void matmul(device float* c, device const half* a, device const half* b,
                   uint l [[thread_position_in_threadgroup]], uint simd [[simdgroup_index_in_threadgroup]]) {
  constexpr uint n = 16;
  threadgroup half left[n * n], right[n * n];
  for (uint k = l; k < n * n; k += 128) {
    left[k] = a[k];
    right[k] = b[k];
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const uint row = simd / 2 * 8, column = simd % 2 * 8;
  simdgroup_float8x8 sum = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  for (uint k = 0; k < n; k += 8) {
    simdgroup_half8x8 x, y;
    simdgroup_load(x, left + row * n + k, n);
    simdgroup_load(y, right + k * n + column, n);
    simdgroup_multiply_accumulate(sum, x, y, sum);
  }
  simdgroup_store(sum, c + row * n + column, n);
}
