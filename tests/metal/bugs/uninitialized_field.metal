// A structure of which one field is never set.
// kernel: pairs
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: uninitialized line 21
#include <metal_stdlib>
using namespace metal;

struct Pair {
  float value;
  float weight;
};

kernel void pairs(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  threadgroup Pair shared[32];
  shared[i].value = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const float value = shared[31 - i].value;
  const float weight = shared[31 - i].weight;
  out[i] = value * weight;
}
