// Sorts in threadgroup memory.
// kernel: sort
// buffer 0: float 128 random
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void sort(device float* data, uint l [[thread_position_in_threadgroup]]) {
  threadgroup float shared[128];
  shared[l] = data[l];
  shared[l + 64] = data[l + 64];
  for (uint k = 2; k <= 128; k *= 2) {
    for (uint j = k / 2; j > 0; j /= 2) {
      threadgroup_barrier(mem_flags::mem_threadgroup);
      const uint low = 2 * l - (l & (j - 1)), high = low + j;
      const float a = shared[low], b = shared[high];
      if ((a > b) == ((low & k) == 0)) {
        shared[low] = b;
        shared[high] = a;
      }
    }
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  data[l] = shared[l];
  data[l + 64] = shared[l + 64];
}
