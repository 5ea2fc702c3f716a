// float4 at an address that is a multiple of 4 only.
// kernel: load_vectors
// buffer 0: float 64 zero
// buffer 1: float 68 ramp
// threads: 16
// group: 16
// expect: misaligned line 13 buffer 1 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void load_vectors(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  const device float4* vectors = (const device float4*)(in + 1);
  const float4 v = vectors[i];
  out[i] = v.x + v.y + v.z + v.w;
}
