// The first thread has no left neighbour.
// kernel: difference
// buffer 0: float 100 zero
// buffer 1: float 100 ramp
// threads: 100
// group: 50
// expect: out_of_bounds line 15 buffer 1 thread 0 threadgroup 0 0 0
#include <metal_stdlib>
using namespace metal;

kernel void difference(device float* out, device const float* in, uint id [[thread_position_in_grid]]) {
  const int i = int(id);
  out[i] =
      in[i] -
      in[i - 1];
}
