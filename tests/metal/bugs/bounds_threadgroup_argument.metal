// The launch gives less threadgroup memory than the kernel uses.
// kernel: stage
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// threadgroup 0: 128
// threads: 64
// group: 64
// expect: out_of_bounds line 15 thread 32
#include <metal_stdlib>
using namespace metal;

kernel void stage(device float* out [[buffer(0)]], device const float* in [[buffer(1)]],
                  threadgroup float* staged [[threadgroup(0)]], uint i [[thread_position_in_grid]]) {
  if (i < 64) {
    staged[i] = in[i];
  }
  out[i] = 1.0f;
}
