// Threads of all threadgroups add to one float.
// kernel: sum
// buffer 0: float 1 zero
// buffer 1: float 256 ramp
// threads: 256
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void sum(device atomic_float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  atomic_fetch_add_explicit(out, in[i], memory_order_relaxed);
}
