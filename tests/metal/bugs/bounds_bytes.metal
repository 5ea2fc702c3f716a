// One byte too many of a mask.
// kernel: apply_mask
// buffer 0: float 65 zero
// buffer 1: uchar 64 value 1
// threads: 65
// group: 65
// expect: out_of_bounds line 12 buffer 1 thread 64
#include <metal_stdlib>
using namespace metal;

kernel void apply_mask(device float* out, device const uchar* mask, uint i [[thread_position_in_grid]]) {
  out[i] = mask[i] ? 1.0f : 0.0f;
}
