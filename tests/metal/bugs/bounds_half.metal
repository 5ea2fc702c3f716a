// Two halves more than there are, in a loop.
// kernel: window
// buffer 0: half 64 zero
// buffer 1: half 64 ramp
// threads: 64
// group: 64
// expect: out_of_bounds line 14 buffer 1 thread 62
#include <metal_stdlib>
using namespace metal;

kernel void window(device half* out, device const half* in, uint i [[thread_position_in_grid]]) {
  half sum = 0.0h;
  for (uint k = 0; k < 3; k++) {
    sum += in[i + k];
  }
  out[i] = sum;
}
