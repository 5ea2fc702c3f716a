// The inner dimension of an array of arrays.
// kernel: nested
// buffer 0: float 32 zero
// threads: 32
// group: 32
// expect: out_of_bounds line 12 thread 3
#include <metal_stdlib>
using namespace metal;

kernel void nested(device float* out, uint i [[thread_position_in_grid]]) {
  float grid[2][3] = {{0.0f, 1.0f, 2.0f}, {3.0f, 4.0f, 5.0f}};
  out[i] = grid[0][i % 4];
}
