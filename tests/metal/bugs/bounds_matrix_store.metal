// The last tile of a 12 × 12 matrix does not fit.
// kernel: fill
// buffer 0: float 144 zero
// threads: 64 2
// group: 32 1
// expect: out_of_bounds line 13 buffer 0
#include <metal_stdlib>
using namespace metal;

kernel void fill(device float* out, uint2 group [[threadgroup_position_in_grid]]) {
  simdgroup_float8x8 tile = make_filled_simdgroup_matrix<float, 8, 8>(2.0f);
  if (group.x == group.y) {
    simdgroup_store(tile, out + group.y * 8 * 12 + group.x * 8, 12);
  }
}
