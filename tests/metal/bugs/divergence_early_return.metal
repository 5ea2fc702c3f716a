// Threads beyond the end leave before the barrier.
// kernel: guarded
// buffer 0: float 100 zero
// buffer 1: uint 1 value 100
// threads: 128
// group: 64
// expect: divergence line 16 threadgroup 1 0 0
#include <metal_stdlib>
using namespace metal;

kernel void guarded(device float* out [[buffer(0)]], constant uint& n [[buffer(1)]],
                    uint i [[thread_position_in_grid]], uint l [[thread_position_in_threadgroup]]) {
  threadgroup float shared[64];
  if (i >= n) return;
  shared[l] = float(i);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[l];
}
