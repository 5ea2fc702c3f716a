// A stencil that overwrites its own input: correct only if the neighbour has not been there yet.
// kernel: stencil
// buffer 0: float 256 ramp
// threads: 256
// group: 1
// expect: race line 11 other 12 buffer 0
#include <metal_stdlib>
using namespace metal;

kernel void stencil(device float* data, uint i [[thread_position_in_grid]]) {
  const float left = i > 0 ? data[i - 1] : 0.0f;
  data[i] = 0.5f * (left + 1.0f);
}
