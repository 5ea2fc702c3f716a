// half4 in threadgroup memory, two bytes off.
// kernel: staged
// buffer 0: float 16 zero
// threads: 16
// group: 16
// expect: misaligned line 15
#include <metal_stdlib>
using namespace metal;

kernel void staged(device float* out, uint i [[thread_position_in_grid]]) {
  threadgroup half shared[72];
  for (uint k = i; k < 72; k += 16) shared[k] = half(k);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  threadgroup half4* vectors = (threadgroup half4*)(shared + 1);
  const half4 v = vectors[i];
  out[i] = float(v.x + v.w);
}
