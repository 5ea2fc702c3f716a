// Reads its right neighbour, which the last thread does not have.
// kernel: right_neighbour
// buffer 0: float 256 zero
// buffer 1: float 256 ramp
// threads: 256
// group: 64
// expect: out_of_bounds line 13 buffer 1 thread 63 threadgroup 3 0 0
#include <metal_stdlib>
using namespace metal;

kernel void right_neighbour(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float sum = in[i];
  sum += in[i + 1];
  out[i] = sum;
}
