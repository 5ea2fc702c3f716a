// float4, with the rest done one by one.
// kernel: add
// buffer 0: float 103 zero
// buffer 1: float 103 ramp
// buffer 2: uint 1 value 103
// threads: 26
// group: 26
#include <metal_stdlib>
using namespace metal;

kernel void add(device float* out [[buffer(0)]], device const float* in [[buffer(1)]],
                constant uint& n [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  if (4 * i + 4 <= n) {
    ((device float4*)out)[i] = ((device const float4*)in)[i] + 1.0f;
  } else {
    for (uint k = 4 * i; k < n; k++) out[k] = in[k] + 1.0f;
  }
}
