// Through a padded tile.
// kernel: transpose
// buffer 0: float 960 zero
// buffer 1: float 960 ramp
// threads: 48 32
// group: 16 16
#include <metal_stdlib>
using namespace metal;

kernel void transpose(device float* out, device const float* in, uint2 at [[thread_position_in_grid]],
                      uint2 l [[thread_position_in_threadgroup]], uint2 g [[threadgroup_position_in_grid]]) {
  constexpr uint columns = 40, rows = 24;
  threadgroup float tile[16][17];
  if (at.x < columns && at.y < rows) tile[l.y][l.x] = in[at.y * columns + at.x];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const uint x = g.y * 16 + l.x, y = g.x * 16 + l.y;
  if (x < rows && y < columns) out[y * rows + x] = tile[l.x][l.y];
}
