// A structure in constant memory.
// kernel: affine
// buffer 0: float 64 zero
// buffer 1: float 64 ramp
// buffer 2: float 4 ramp
// threads: 64
// group: 64
#include <metal_stdlib>
using namespace metal;

struct Parameters {
  float scale;
  float offset;
  float2 range;
};

kernel void affine(device float* out [[buffer(0)]], device const float* in [[buffer(1)]],
                   constant Parameters& p [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  out[i] = clamp(in[i] * p.scale + p.offset, p.range.x, p.range.y);
}
