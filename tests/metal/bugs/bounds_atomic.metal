// A histogram with a bin fewer than there are values.
// kernel: histogram
// buffer 0: uint 9 zero
// buffer 1: uint 128 ramp
// threads: 128
// group: 64
// expect: out_of_bounds line 13 buffer 0 thread 9
#include <metal_stdlib>
using namespace metal;

kernel void histogram(device atomic_uint* bins, device const uint* in, uint i [[thread_position_in_grid]]) {
  const uint bin = in[i] % 10;
  atomic_fetch_add_explicit(&bins[bin], 1, memory_order_relaxed);
}
