// Asking who is active is meant for branches.
// kernel: counts
// buffer 0: uint 64 zero
// buffer 1: int 64 ramp
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

kernel void counts(device uint* out, device const int* in, uint i [[thread_position_in_grid]]) {
  uint found = 0;
  if (in[i] % 3 == 0) {
    const ulong active = (simd_vote::vote_t)simd_active_threads_mask();
    found = popcount(uint(active));
    if (simd_is_first()) found += 100;
  }
  out[i] = found;
}
