// A table in constant memory that is one entry too short.
// kernel: look_up
// buffer 0: float 64 zero
// buffer 1: float 7 ramp
// threads: 64
// group: 32
// expect: out_of_bounds line 13 buffer 1 thread 7
#include <metal_stdlib>
using namespace metal;

kernel void look_up(device float* out [[buffer(0)]], constant float* table [[buffer(1)]],
                    uint i [[thread_position_in_grid]]) {
  out[i] = table[i % 8];
}
