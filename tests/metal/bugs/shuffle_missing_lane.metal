// 20 threads ask for the value of lane 31, which does not exist.
// kernel: last
// buffer 0: float 20 zero
// buffer 1: float 20 ramp
// threads: 20
// group: 20
// expect: shuffle line 12 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void last(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  out[i] = simd_broadcast(in[i], 31);
}
