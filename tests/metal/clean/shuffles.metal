// Every shuffle within its range.
// kernel: shuffles
// buffer 0: float 32 zero
// buffer 1: float 32 ramp
// threads: 32
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void shuffles(device float* out, device const float* in, ushort lane [[thread_index_in_simdgroup]]) {
  const float v = in[lane];
  float sum = simd_shuffle(v, ushort(31 - lane)) + simd_shuffle_xor(v, 5) + simd_broadcast(v, 7);
  sum += simd_shuffle_up(v, 3) + simd_shuffle_down(v, 3) + simd_broadcast_first(v);
  sum += simd_shuffle_rotate_up(v, 9) + simd_shuffle_rotate_down(v, 9);
  sum += simd_shuffle_and_fill_up(v, 100.0f, 2) + simd_shuffle_and_fill_down(v, 200.0f, 2);
  out[lane] = sum;
}
