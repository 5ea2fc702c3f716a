// Index of the largest, by pairs in threadgroup memory.
// kernel: argmax
// buffer 0: uint 1 zero
// buffer 1: float 128 random
// threads: 128
// group: 128
#include <metal_stdlib>
using namespace metal;

struct Best {
  float value;
  uint index;
};

kernel void argmax(device uint* out, device const float* in, uint l [[thread_position_in_threadgroup]]) {
  threadgroup Best best[128];
  best[l].value = in[l];
  best[l].index = l;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint step = 64; step > 0; step >>= 1) {
    if (l < step && best[l + step].value > best[l].value) best[l] = best[l + step];
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  if (l == 0) out[0] = best[0].index;
}
