// Threadgroups beyond the end leave as a whole.
// kernel: guarded
// buffer 0: float 64 zero
// buffer 1: uint 1 value 64
// threads: 128
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void guarded(device float* out [[buffer(0)]], constant uint& n [[buffer(1)]],
                    uint i [[thread_position_in_grid]], uint l [[thread_position_in_threadgroup]]) {
  threadgroup float shared[32];
  if (i >= n) return;
  shared[l] = float(i);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[l ^ 1];
}
