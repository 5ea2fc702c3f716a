// Tiles in threadgroup memory, zeros beyond the edge.
// kernel: matmul
// buffer 0: float 400 zero
// buffer 1: float 500 random
// buffer 2: float 500 random
// threads: 24 24
// group: 8 8
#include <metal_stdlib>
using namespace metal;

kernel void matmul(device float* c, device const float* a, device const float* b, uint2 at [[thread_position_in_grid]],
                   uint2 l [[thread_position_in_threadgroup]]) {
  constexpr uint n = 20, inner = 25, tile = 8;
  threadgroup float left[tile][tile], right[tile][tile];
  float sum = 0.0f;
  for (uint k = 0; k < inner; k += tile) {
    left[l.y][l.x] = at.y < n && k + l.x < inner ? a[at.y * inner + k + l.x] : 0.0f;
    right[l.y][l.x] = at.x < n && k + l.y < inner ? b[(k + l.y) * n + at.x] : 0.0f;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint i = 0; i < tile; i++) sum += left[l.y][i] * right[i][l.x];
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  if (at.x < n && at.y < n) c[at.y * n + at.x] = sum;
}
