// A grid in three directions whose last threadgroups are smaller.
// kernel: positions
// buffer 0: uint 693 zero
// threads: 11 9 7
// group: 4 4 2
#include <metal_stdlib>
using namespace metal;

kernel void positions(device uint* out, uint3 at [[thread_position_in_grid]], uint3 size [[threads_per_grid]]) {
  out[(at.z * size.y + at.y) * size.x + at.x] = at.x + 100 * at.y + 10000 * at.z;
}
