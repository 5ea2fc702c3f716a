// Types of other widths.
// kernel: convert
// buffer 0: long 64 zero
// buffer 1: bfloat 64 ramp
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void convert(device long* out, device const bfloat* in, uint i [[thread_position_in_grid]]) {
  out[i] = long(float(in[i])) * 4294967296l;
}
