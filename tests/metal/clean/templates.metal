// Instantiations with a name of their own.
// kernel: scale_half
// buffer 0: half 64 zero
// buffer 1: half 64 ramp
// threads: 64
// group: 32
#include <metal_stdlib>
using namespace metal;

template <typename T>
kernel void scale(device T* out, device const T* in, uint i [[thread_position_in_grid]]) {
  out[i] = T(2) * in[i];
}

template [[host_name("scale_float")]] kernel void scale<float>(device float*, device const float*, uint);
template [[host_name("scale_half")]] kernel void scale<half>(device half*, device const half*, uint);
