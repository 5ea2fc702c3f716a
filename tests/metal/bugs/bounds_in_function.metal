// The access stands in a function that the kernel calls.
// kernel: smooth
// buffer 0: float 96 zero
// buffer 1: float 96 ramp
// threads: 96
// group: 32
// expect: out_of_bounds line 13 buffer 1 thread 31 threadgroup 2 0 0
#include <metal_stdlib>
using namespace metal;

static float average(device const float* in, uint i) {
  const float here = in[i];
  const float there = in[i + 1];
  return 0.5f * (here + there);
}

kernel void smooth(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  out[i] = average(in, i);
}
