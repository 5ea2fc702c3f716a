// Smallest and largest of all.
// kernel: extremes
// buffer 0: int 2 zero
// buffer 1: int 256 ramp
// threads: 256
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void extremes(device atomic_int* out, device const int* in, uint i [[thread_position_in_grid]]) {
  atomic_fetch_min_explicit(&out[0], 5 - in[i], memory_order_relaxed);
  atomic_fetch_max_explicit(&out[1], in[i] - 5, memory_order_relaxed);
}
