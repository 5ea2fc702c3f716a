// Two threads write the same 16-bit word of a byte buffer; their neighbours' words are their own.
// kernel: pack
// buffer 0: uchar 64 zero
// threads: 32
// group: 32
// expect: race line 12 other 12 buffer 0
#include <metal_stdlib>
using namespace metal;

kernel void pack(device uchar* out, uint i [[thread_position_in_grid]]) {
  device ushort* words = (device ushort*)out;
  words[i & ~1u] = ushort(i);
}
