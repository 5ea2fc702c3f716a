// A quad has lanes 0 to 3.
// kernel: corner
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
// expect: shuffle line 12 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void corner(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  out[i] = quad_broadcast(in[i], 4);
}
