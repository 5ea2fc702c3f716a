// Remainder by a number of heads that is zero.
// kernel: heads
// buffer 0: uint 32 zero
// buffer 1: uint 1 value 0
// threads: 32
// group: 32
// expect: division line 12 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void heads(device uint* out [[buffer(0)]], constant uint& n [[buffer(1)]], uint i [[thread_position_in_grid]]) {
  out[i] = i % n;
}
