// A histogram without atomics.
// kernel: histogram
// buffer 0: uint 16 zero
// buffer 1: uint 256 ramp
// threads: 256
// group: 256
// expect: race line 12 other 12 buffer 0
#include <metal_stdlib>
using namespace metal;

kernel void histogram(device uint* bins, device const uint* in, uint i [[thread_position_in_grid]]) {
  bins[in[i] % 16] += 1;
}
