// Fewer threads than elements.
// kernel: scale
// buffer 0: float 1000 zero
// buffer 1: float 1000 ramp
// threads: 96
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                  uint n [[threads_per_grid]]) {
  for (uint k = i; k < 1000; k += n) out[k] = 2.0f * in[k];
}
