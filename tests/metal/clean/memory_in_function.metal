// A function that has threadgroup memory and barriers of its own, called twice.
// kernel: both
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

static float sum_of_all(float value, threadgroup float* shared, uint l) {
  shared[l] = value;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float sum = 0.0f;
  for (uint k = 0; k < 64; k++) sum += shared[k];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return sum;
}

kernel void both(device float* out, device const float* in, uint l [[thread_position_in_threadgroup]]) {
  threadgroup float shared[64];
  const float mean = sum_of_all(in[l], shared, l) / 64.0f;
  const float deviation = in[l] - mean;
  out[l] = sum_of_all(deviation * deviation, shared, l);
}
