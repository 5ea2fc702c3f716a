// The same in one direction, with a tile that has its border filled.
// kernel: blur
// buffer 0: float 200 zero
// buffer 1: float 200 ramp
// threads: 200
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void blur(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                 uint l [[thread_position_in_threadgroup]], uint size [[threads_per_threadgroup]],
                 uint n [[threads_per_grid]]) {
  threadgroup float tile[66];
  tile[l + 1] = in[i];
  if (l == 0) tile[0] = i > 0 ? in[i - 1] : 0.0f;
  if (l + 1 == size) tile[l + 2] = i + 1 < n ? in[i + 1] : 0.0f;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = (tile[l] + tile[l + 1] + tile[l + 2]) / 3.0f;
}
