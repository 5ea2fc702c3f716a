// Largest of 2 × 2.
// kernel: pool
// buffer 0: float 100 zero
// buffer 1: float 400 random
// threads: 10 10
// group: 10 2
#include <metal_stdlib>
using namespace metal;

kernel void pool(device float* out, device const float* in, uint2 at [[thread_position_in_grid]]) {
  device const float* corner = in + 40 * at.y + 2 * at.x;
  out[at.y * 10 + at.x] = max(max(corner[0], corner[1]), max(corner[20], corner[21]));
}
