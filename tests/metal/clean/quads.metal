// Operations among four threads, the quads of a SIMD-group in different places.
// kernel: quads
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void quads(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                  uint quad [[quadgroup_index_in_threadgroup]]) {
  float value = in[i];
  if (quad % 2 == 0) value = quad_sum(value) + quad_shuffle_xor(value, 3);
  else value = quad_broadcast(value, 2) + quad_shuffle_rotate_down(value, 1);
  out[i] = value;
}
