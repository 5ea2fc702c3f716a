// Lane 0 has returned when the others ask for its value.
// kernel: from_first
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: shuffle line 13 thread 1
#include <metal_stdlib>
using namespace metal;

kernel void from_first(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  if (i == 0) return;
  out[i] = simd_broadcast(in[i], 0);
}
