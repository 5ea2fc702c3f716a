// One component of a vector's divisor is zero.
// kernel: vectors
// buffer 0: int 64 zero
// threads: 16
// group: 16
// expect: division line 13 thread 0
#include <metal_stdlib>
using namespace metal;

kernel void vectors(device int4* out, uint i [[thread_position_in_grid]]) {
  const int4 dividend = int4(100);
  const int4 divisor = int4(1, 2, int(i), 4);
  out[i] = dividend / divisor;
}
