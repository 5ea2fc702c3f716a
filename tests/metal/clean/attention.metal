// One query for each SIMD-group, online softmax over the keys.
// kernel: attention
// buffer 0: float 256 zero
// buffer 1: float 256 random
// buffer 2: float 640 random
// buffer 3: float 640 random
// threads: 256
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void attention(device float* out, device const float* q, device const float* k, device const float* v,
                      uint i [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]]) {
  const float mine = q[i];
  float largest = -INFINITY, sum = 0.0f, result = 0.0f;
  for (uint key = 0; key < 20; key++) {
    const float score = simd_sum(mine * k[key * 32 + lane]) * 0.17677669f;
    const float now = max(largest, score);
    const float old = exp(largest - now), e = exp(score - now);
    sum = sum * old + e;
    result = result * old + e * v[key * 32 + lane];
    largest = now;
  }
  out[i] = result / sum;
}
