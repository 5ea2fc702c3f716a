// simdgroup_matrix straight from and to buffers.
// kernel: matmul
// buffer 0: float 1024 zero
// buffer 1: float 1024 random
// buffer 2: float 1024 random
// threads: 128 4
// group: 32 1
#include <metal_stdlib>
using namespace metal;

kernel void matmul(device float* c, device const float* a, device const float* b,
                   uint2 g [[threadgroup_position_in_grid]]) {
  constexpr uint n = 32;
  simdgroup_float8x8 sum(0.0f), left, right;
  for (uint k = 0; k < n; k += 8) {
    simdgroup_load(left, a + g.y * 8 * n + k, n);
    simdgroup_load(right, b + k * n + g.x * 8, n);
    simdgroup_multiply_accumulate(sum, left, right, sum);
  }
  simdgroup_store(sum, c + g.y * 8 * n + g.x * 8, n);
}
