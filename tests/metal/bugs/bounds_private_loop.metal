// A loop that goes round once too often.
// kernel: accumulate
// buffer 0: float 16 zero
// buffer 1: float 80 ramp
// buffer 2: uint 1 value 5
// threads: 16
// group: 16
// expect: out_of_bounds line 16 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void accumulate(device float* out [[buffer(0)]], device const float* in [[buffer(1)]],
                       constant uint& n [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  float parts[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (uint k = 0; k < n; k++) {
    parts[k] += in[i * n + k];
  }
  out[i] = parts[0] + parts[1] + parts[2] + parts[3];
}
