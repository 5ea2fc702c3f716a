// A table of the program's own, in constant memory.
// kernel: weights
// buffer 0: float 32 zero
// threads: 32
// group: 32
// expect: out_of_bounds line 13 thread 5
#include <metal_stdlib>
using namespace metal;

constant float taps[5] = {0.1f, 0.2f, 0.4f, 0.2f, 0.1f};

kernel void weights(device float* out, uint i [[thread_position_in_grid]]) {
  out[i] = taps[i % 6];
}
