// The largest float by compare and exchange.
// kernel: largest
// buffer 0: float 1 zero
// buffer 1: float 128 random
// threads: 128
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void largest(device atomic_float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float seen = atomic_load_explicit(out, memory_order_relaxed);
  while (in[i] > seen &&
         !atomic_compare_exchange_weak_explicit(out, &seen, in[i], memory_order_relaxed, memory_order_relaxed)) {
  }
}
