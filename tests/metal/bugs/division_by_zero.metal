// The first thread divides by its index.
// kernel: divide
// buffer 0: int 32 zero
// threads: 32
// group: 32
// expect: division line 12 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void divide(device int* out, uint i [[thread_position_in_grid]]) {
  const int divisor = int(i);
  out[i] = 1000 / divisor;
}
