// An index times a stride that was meant for something else: lands far outside of any buffer.
// kernel: strided
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threads: 64
// group: 64
// expect: out_of_bounds line 13 buffer 1 thread 1
#include <metal_stdlib>
using namespace metal;

kernel void strided(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  const ulong stride = 100000000ul;
  out[i] = in[i * stride];
}
