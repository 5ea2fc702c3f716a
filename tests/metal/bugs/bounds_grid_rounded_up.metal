// The grid is rounded up to whole threadgroups and nobody compares with the size.
// kernel: scale
// buffer 0: float 1000 zero
// buffer 1: float 1000 ramp
// buffer 2: uint 1 value 1000
// threads: 1024
// group: 128
// expect: out_of_bounds line 15 buffer 1 thread 104 threadgroup 7 0 0
// expect: out_of_bounds line 16 buffer 0 thread 104 threadgroup 7 0 0
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float* out [[buffer(0)]], device const float* in [[buffer(1)]],
                  constant uint& n [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  const float value = in[i];
  out[i] = value * float(n);
}
