// A product of matrices that half of the lanes take part in.
// kernel: multiply
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 32
// group: 32
// expect: divergence line 17 other 19
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float* out, device const float* in, uint lane [[thread_index_in_simdgroup]]) {
  simdgroup_float8x8 a, b, c;
  simdgroup_load(a, in);
  simdgroup_load(b, in);
  c = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  if (lane < 16) {
    simdgroup_multiply(c, a, b);
  }
  simdgroup_barrier(mem_flags::mem_none);
  simdgroup_store(c, out);
}
