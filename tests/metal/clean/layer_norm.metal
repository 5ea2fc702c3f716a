// Mean and variance of a row by one SIMD-group.
// kernel: layer_norm
// buffer 0: float 640 zero
// buffer 1: float 640 random
// buffer 2: float 80 ramp
// buffer 3: float 80 random
// threads: 32 8
// group: 32 2
#include <metal_stdlib>
using namespace metal;

kernel void layer_norm(device float* out, device const float* in, device const float* weight, device const float* bias,
                       uint2 at [[thread_position_in_grid]]) {
  const uint n = 80, row = at.y * n;
  float sum = 0.0f;
  for (uint k = at.x; k < n; k += 32) sum += in[row + k];
  const float mean = simd_sum(sum) / n;
  float squares = 0.0f;
  for (uint k = at.x; k < n; k += 32) squares += (in[row + k] - mean) * (in[row + k] - mean);
  const float scale = rsqrt(simd_sum(squares) / n + 1e-5f);
  for (uint k = at.x; k < n; k += 32) out[row + k] = (in[row + k] - mean) * scale * weight[k] + bias[k];
}
