// Writes float2 to odd floats.
// kernel: store_pairs
// buffer 0: float 65 zero
// threads: 32
// group: 32
// expect: misaligned line 12 buffer 0 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void store_pairs(device float* out, uint i [[thread_position_in_grid]]) {
  device float2* pairs = (device float2*)(out + 1);
  pairs[i] = float2(float(i), 0.0f);
}
