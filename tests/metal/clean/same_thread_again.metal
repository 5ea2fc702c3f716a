// A thread may read back what it wrote itself.
// kernel: accumulate
// buffer 0: float 64 zero
// threads: 64
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void accumulate(device float* out, uint i [[thread_position_in_grid]],
                       uint l [[thread_position_in_threadgroup]]) {
  threadgroup float shared[32];
  shared[l] = 0.0f;
  out[i] = 1.0f;
  for (uint k = 0; k < 10; k++) {
    shared[l] += out[i];
    out[i] = shared[l];
  }
}
