// 10 floats read as float4: the third vector has only two of its components.
// kernel: add_one
// buffer 0: float 12 zero
// buffer 1: float 10 ramp
// threads: 3
// group: 3
// expect: out_of_bounds line 12 buffer 1 thread 2
#include <metal_stdlib>
using namespace metal;

kernel void add_one(device float4* out, device const float4* in, uint i [[thread_position_in_grid]]) {
  const float4 value = in[i];
  out[i] = value + 1.0f;
}
