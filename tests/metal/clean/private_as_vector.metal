// A vector read out of an array of the thread's own.
// kernel: gather
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 16
// group: 16
#include <metal_stdlib>
using namespace metal;

kernel void gather(device float4* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float values[4];
  for (uint k = 0; k < 4; k++) values[k] = in[16 * k + i];
  out[i] = *(thread float4*)values;
}
