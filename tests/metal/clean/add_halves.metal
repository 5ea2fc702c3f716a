// Neighbouring threads write the two halves of a word.
// kernel: add
// buffer 0: half 64 zero
// buffer 1: half 64 ramp
// threads: 64
// group: 16
#include <metal_stdlib>
using namespace metal;

kernel void add(device half* out, device const half* in, uint i [[thread_position_in_grid]]) { out[i] = in[i] + 1.0h; }
