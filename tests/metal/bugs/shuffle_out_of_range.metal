// The last lane asks for lane 32.
// kernel: next
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
// expect: shuffle line 13 thread 31
#include <metal_stdlib>
using namespace metal;

kernel void next(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                 uint lane [[thread_index_in_simdgroup]]) {
  out[i] = simd_shuffle(in[i], ushort(lane + 1));
}
