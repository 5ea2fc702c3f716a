// Every thread writes the total.
// kernel: total
// buffer 0: float 1 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
// expect: race line 15 other 15
#include <metal_stdlib>
using namespace metal;

kernel void total(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup float result;
  float sum = 0.0f;
  for (uint k = 0; k <= i; k++) sum += in[k];
  result = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (i == 0) out[0] = result;
}
