// A grid that is rounded up, and a comparison with the size.
// kernel: add
// buffer 0: float 1000 zero
// buffer 1: float 1000 ramp
// buffer 2: uint 1 value 1000
// threads: 1024
// group: 128
#include <metal_stdlib>
using namespace metal;

kernel void add(device float* out [[buffer(0)]], device const float* in [[buffer(1)]],
                constant uint& n [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  if (i >= n) return;
  out[i] = in[i] + 1.0f;
}
