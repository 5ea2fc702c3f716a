// Reads and writes the same buffer, each thread its own element.
// kernel: add_one
// buffer 0: float 300 ramp
// threads: 300
// group: 128
#include <metal_stdlib>
using namespace metal;

kernel void add_one(device float* data, uint i [[thread_position_in_grid]]) { data[i] += 1.0f; }
