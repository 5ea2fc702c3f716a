// Arrays of the thread's own, indexed by what is only known at run time.
// kernel: median
// buffer 0: int 60 zero
// buffer 1: int 64 random
// threads: 60
// group: 30
#include <metal_stdlib>
using namespace metal;

kernel void median(device int* out, device const int* in, uint i [[thread_position_in_grid]]) {
  int values[5];
  for (uint k = 0; k < 5; k++) values[k] = in[i + k];
  for (int a = 1; a < 5; a++) {
    const int value = values[a];
    int b = a;
    for (; b > 0 && values[b - 1] > value; b--) values[b] = values[b - 1];
    values[b] = value;
  }
  out[i] = values[2];
}
