// A product of a 20 × 30 and a 30 × 24 matrix, one element for each thread.
// kernel: matmul
// buffer 0: float 480 zero
// buffer 1: float 600 random
// buffer 2: float 720 random
// threads: 24 20
// group: 8 8
#include <metal_stdlib>
using namespace metal;

kernel void matmul(device float* c, device const float* a, device const float* b,
                   uint2 at [[thread_position_in_grid]]) {
  float sum = 0.0f;
  for (uint k = 0; k < 30; k++) sum += a[at.y * 30 + k] * b[k * 24 + at.x];
  c[at.y * 24 + at.x] = sum;
}
