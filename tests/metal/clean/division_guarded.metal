// Divides where it may.
// kernel: divide
// buffer 0: int 64 zero
// buffer 1: int 64 ramp
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void divide(device int* out, device const int* in, uint i [[thread_position_in_grid]]) {
  out[i] = in[i] != 0 ? 1000 / in[i] + 1000 % in[i] : 0;
}
