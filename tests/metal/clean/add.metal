// One element for each thread.
// kernel: add
// buffer 0: float 256 zero
// buffer 1: float 256 ramp
// buffer 2: float 256 random
// threads: 256
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void add(device float* out, device const float* a, device const float* b, uint i [[thread_position_in_grid]]) {
  out[i] = a[i] + b[i];
}
