// packed_float3 is aligned like a float.
// kernel: lengths
// buffer 0: float 32 zero
// buffer 1: float 96 ramp
// threads: 32
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void lengths(device float* out, device const packed_float3* in, uint i [[thread_position_in_grid]]) {
  const float3 v = in[i];
  out[i] = length(v);
}
