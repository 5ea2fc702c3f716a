// The other way round: reads what the next threadgroup writes.
// kernel: shift
// buffer 0: float 128 ramp
// threads: 128
// group: 1
// expect: race line 12 other 11 buffer 0
#include <metal_stdlib>
using namespace metal;

kernel void shift(device float* data, uint i [[thread_position_in_grid]]) {
  const float right = i + 1 < 128 ? data[i + 1] : 0.0f;
  data[i] = right;
}
