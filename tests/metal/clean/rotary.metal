// Rotates pairs of a vector.
// kernel: rope
// buffer 0: float 256 random
// threads: 16 8
// group: 16 4
#include <metal_stdlib>
using namespace metal;

kernel void rope(device float2* data, uint2 at [[thread_position_in_grid]]) {
  const float angle = float(at.y) * exp2(-float(at.x) * 0.8304820237f);
  float c;
  const float s = sincos(angle, c);
  const float2 v = data[at.y * 16 + at.x];
  data[at.y * 16 + at.x] = float2(v.x * c - v.y * s, v.x * s + v.y * c);
}
