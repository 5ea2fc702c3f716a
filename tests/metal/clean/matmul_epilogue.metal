// thread_elements() for an activation, then through threadgroup memory.
// kernel: matmul
// buffer 0: float 64 zero
// buffer 1: float 64 random
// buffer 2: float 64 random
// threads: 32
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void matmul(device float* c, device const float* a, device const float* b,
                   uint lane [[thread_index_in_simdgroup]]) {
  threadgroup float staged[64];
  simdgroup_float8x8 left, right, product;
  simdgroup_load(left, a);
  simdgroup_load(right, b, 8, ulong2(0), true);
  simdgroup_multiply(product, left, right);
  product.thread_elements()[0] = max(product.thread_elements()[0], 0.0f);
  product.thread_elements()[1] = max(product.thread_elements()[1], 0.0f);
  simdgroup_store(product, staged);
  simdgroup_barrier(mem_flags::mem_threadgroup);
  c[lane] = staged[lane];
  c[lane + 32] = staged[lane + 32];
}
