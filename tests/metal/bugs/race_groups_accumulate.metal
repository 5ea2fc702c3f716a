// All threads of all threadgroups add to one number.
// kernel: add_up
// buffer 0: float 1 zero
// buffer 1: float 256 ramp
// threads: 256
// group: 64
// expect: race line 12 other 12 buffer 0
#include <metal_stdlib>
using namespace metal;

kernel void add_up(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  out[0] += in[i];
}
