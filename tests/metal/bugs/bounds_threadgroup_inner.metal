// The inner index leaves its row and stays inside the array.
// kernel: rows
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 8 8
// group: 8 8
// expect: out_of_bounds line 17
#include <metal_stdlib>
using namespace metal;

kernel void rows(device float* out, device const float* in, uint2 l [[thread_position_in_threadgroup]]) {
  threadgroup float tile[8][9];
  tile[l.y][l.x] = in[l.y * 8 + l.x];
  if (l.x == 0) tile[l.y][8] = 0.0f;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const uint column = l.x + 2;
  out[l.y * 8 + l.x] = tile[l.y & 3][column];
}
