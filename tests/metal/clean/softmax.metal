// A row for each threadgroup.
// kernel: softmax
// buffer 0: float 1000 zero
// buffer 1: float 1000 random
// buffer 2: uint 1 value 100
// threads: 640
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void softmax(device float* out [[buffer(0)]], device const float* in [[buffer(1)]],
                    constant uint& n [[buffer(2)]], uint row [[threadgroup_position_in_grid]],
                    uint l [[thread_position_in_threadgroup]], uint size [[threads_per_threadgroup]]) {
  threadgroup float shared[64];
  in += row * n;
  out += row * n;
  float largest = -INFINITY;
  for (uint k = l; k < n; k += size) largest = max(largest, in[k]);
  shared[l] = largest;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint step = size / 2; step > 0; step /= 2) {
    if (l < step) shared[l] = max(shared[l], shared[l + step]);
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  largest = shared[0];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float sum = 0.0f;
  for (uint k = l; k < n; k += size) sum += exp(in[k] - largest);
  shared[l] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint step = size / 2; step > 0; step /= 2) {
    if (l < step) shared[l] += shared[l + step];
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  for (uint k = l; k < n; k += size) out[k] = exp(in[k] - largest) / shared[0];
}
