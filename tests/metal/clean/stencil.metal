// A five point stencil whose border is left alone.
// kernel: stencil
// buffer 0: float 400 zero
// buffer 1: float 400 ramp
// threads: 20 20
// group: 8 8
#include <metal_stdlib>
using namespace metal;

kernel void stencil(device float* out, device const float* in, uint2 at [[thread_position_in_grid]],
                    uint2 size [[threads_per_grid]]) {
  const uint i = at.y * size.x + at.x;
  if (at.x == 0 || at.y == 0 || at.x + 1 == size.x || at.y + 1 == size.y) {
    out[i] = in[i];
    return;
  }
  out[i] = 0.2f * (in[i] + in[i - 1] + in[i + 1] + in[i - size.x] + in[i + size.x]);
}
