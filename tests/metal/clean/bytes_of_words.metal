// Neighbouring threads write the four bytes of a word of a buffer of words.
// kernel: pack
// buffer 0: uint 16 zero
// threads: 64
// group: 32
#include <metal_stdlib>
using namespace metal;

kernel void pack(device uint* out, uint i [[thread_position_in_grid]]) { ((device uchar*)out)[i] = uchar(i); }
