// A 32-bit word read from a byte address.
// kernel: words
// buffer 0: uint 8 zero
// buffer 1: uchar 64 ramp
// threads: 8
// group: 8
// expect: misaligned line 13 buffer 1 thread 1
#include <metal_stdlib>
using namespace metal;

kernel void words(device uint* out, device const uchar* in, uint i [[thread_position_in_grid]]) {
  const device uint* word = (const device uint*)(in + 6 * i);
  out[i] = *word;
}
