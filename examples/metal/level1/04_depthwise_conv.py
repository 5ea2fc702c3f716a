"""A depthwise convolution whose input tile is read once into threadgroup memory.

Fuses: padding, convolution and bias; the padding is never written.
Moves: the tile of 16 × 40 outputs needs 20 × 44 inputs, so up to 1.4 reads and one write per element: 44 MB for 8 × 96
planes of 80 × 80. Straight from device memory it would be 25 reads per element, most of them answered by the cache,
whose bandwidth then decides.
Why so: each thread makes four outputs below each other and walks down eight input rows, so it reads 40 values for 100
multiply-adds instead of 100. 16 × 40 divides 80 × 80 without waste. The kernel's size is written into the source, so
that loops are unrolled and the weights sit in registers. They are the same for a whole threadgroup, hence `constant`:
Apple GPUs fetch such values once for all lanes.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

constant constexpr uint WIDTH = 16, HEIGHT = 40;  // of a tile of outputs
constant constexpr uint DOWN = 4;                 // outputs of a thread
constant constexpr uint ACROSS = WIDTH + KERNEL - 1;
constant constexpr uint LINES = HEIGHT + KERNEL - 1;
constant constexpr uint THREADS = WIDTH * HEIGHT / DOWN;

// The z of the grid counts the planes: image times channels plus channel. A SIMD-group is two lines of 16 threads,
// which read rows 4 apart: 4 × 20 floats for 5 × 5. With 32 banks of 4 bytes (Apple documents no number; this is the
// usual one) the two lines fall into different halves of them.
[[max_total_threads_per_threadgroup(THREADS)]]
kernel void depthwise(device const float* x, constant float* weight, constant float* bias, device float* out,
                      constant uint& channels, constant uint& height, constant uint& width,
                      uint3 group [[threadgroup_position_in_grid]], uint thread_index [[thread_index_in_threadgroup]]) {
  threadgroup float tile[LINES][ACROSS];
  const uint plane = group.z, channel = plane % channels;
  x += plane * height * width;
  out += plane * height * width;

  const int top = int(group.y * HEIGHT) - KERNEL / 2, left = int(group.x * WIDTH) - KERNEL / 2;
  for (uint i = thread_index; i < LINES * ACROSS; i += THREADS) {
    const int y = top + int(i / ACROSS), column = left + int(i % ACROSS);
    const bool inside = y >= 0 && y < int(height) && column >= 0 && column < int(width);
    tile[i / ACROSS][i % ACROSS] = inside ? x[y * int(width) + column] : 0.0f;
  }
  float weights[KERNEL * KERNEL];
  for (uint i = 0; i < KERNEL * KERNEL; i++) weights[i] = weight[channel * KERNEL * KERNEL + i];
  threadgroup_barrier(mem_flags::mem_threadgroup);

  const uint line = thread_index / WIDTH * DOWN, column = thread_index % WIDTH;
  float sums[DOWN] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (uint r = 0; r < DOWN + KERNEL - 1; r++) {
    for (uint j = 0; j < KERNEL; j++) {
      const float value = tile[line + r][column + j];
      for (uint o = 0; o < DOWN; o++) {
        if (r >= o && r - o < KERNEL) sums[o] += value * weights[(r - o) * KERNEL + j];  // known when unrolled
      }
    }
  }

  const uint y = group.y * HEIGHT + line, at = group.x * WIDTH + column;
  for (uint o = 0; o < DOWN; o++) {
    if (y + o < height && at < width) out[(y + o) * width + at] = sums[o] + bias[channel];
  }
}
"""

WIDTH, HEIGHT, DOWN = 16, 40, 4


class ModelNew(nn.Module):
    def __init__(self, channels, kernel):
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"a kernel of odd size is needed, not {kernel}: others change the image's size")
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.library = torch.mps.compile_shader(f"#define KERNEL {kernel}\n{SOURCE}")

    def forward(self, x):
        x = x.contiguous()
        images, channels, height, width = x.shape
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        lines = HEIGHT // DOWN
        threads = (-(-width // WIDTH) * WIDTH, -(-height // HEIGHT) * lines, images * channels)
        self.library.depthwise(
            x, self.conv.weight, self.conv.bias, out, channels, height, width,
            threads=threads, group_size=(WIDTH, lines, 1), arg_casts="int32",
        )  # fmt: skip
        return out
