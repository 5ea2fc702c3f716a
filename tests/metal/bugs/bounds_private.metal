// An index that comes from a buffer, into an array of the thread's own.
// kernel: choose
// buffer 0: float 32 zero
// buffer 1: int 32 ramp
// threads: 32
// group: 32
// expect: out_of_bounds line 14 thread 4
#include <metal_stdlib>
using namespace metal;

kernel void choose(device float* out, device const int* which, uint i [[thread_position_in_grid]]) {
  float values[4];
  for (int k = 0; k < 4; k++) values[k] = float(k) * float(i);
  out[i] = values[which[i]];
}
