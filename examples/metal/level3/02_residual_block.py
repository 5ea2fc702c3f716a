"""A residual block in two convolution kernels: batch norms folded, shortcut and both ReLUs fused.

Fuses: three batch norms into the weights, ReLU into the first convolution, and the 1 × 1 shortcut, the addition and the
last ReLU into the second.
Moves: x twice, the middle image twice, the output once: 7.4 MB for 4 × 48 × 40 × 40 with 64 channels, and the halos;
the blocks of 16 channels read the same pixels again, from the cache. Eager moves 30 MB in nine operators.
Why so: a direct convolution. A threadgroup makes 16 channels of 8 × 16 pixels, so every weight it reads serves 128
pixels and every pixel 16 channels; a thread keeps its 16 sums in registers and turns 9 pixels and 36 float4 of weights
(the same for all lanes: one broadcast) into 144 multiply-adds. The weights are folded by a small kernel at every call
(37 thousand numbers, twice), which also puts the 16 channels side by side: nothing to be kept up to date.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

constant constexpr uint HEIGHT = 8, WIDTH = 16;   // pixels of a threadgroup, one for each thread
constant constexpr uint THREADS = HEIGHT * WIDTH;
constant constexpr uint MADE = 16;                // output channels of a thread
constant constexpr uint TAKEN = 8;                // input channels for each step

// Batch norm in eval mode is a scale and a shift per channel. Weights go from (made, taken, taps) to (taken, taps,
// made). Neighbouring threads write next to each other; what they read is scattered, but fits into the cache.
kernel void fold(device const float* weight, device const float* gain, device const float* shift,
                 device const float* mean, device const float* variance, device float* folded, device float* bias,
                 constant float& epsilon, constant uint& made, constant uint& terms,
                 uint2 at [[thread_position_in_grid]]) {
  const float scale = gain[at.x] * precise::rsqrt(variance[at.x] + epsilon);
  folded[at.y * made + at.x] = weight[at.x * terms + at.y] * scale;
  if (at.y == 0) bias[at.x] = shift[at.x] - mean[at.x] * scale;
}

// Where a threadgroup stands in an image.
struct Place {
  int top, left, height, width;
  uint made, first;  // output channels in all, and the first of this threadgroup
};

// Adds the convolution of `taken` channels with TAPS × TAPS weights to a thread's sums. All threads must call it.
template <int TAPS>
inline void convolve(device const float* x, uint taken, device const float* weight, thread float4* sums,
                     threadgroup float* tile, threadgroup float4* weights, Place place, uint2 pixel,
                     uint thread_index) {
  constexpr int LINES = int(HEIGHT) + TAPS - 1, ACROSS = int(WIDTH) + TAPS - 1;
  for (uint base = 0; base < taken; base += TAKEN) {
    const uint channels = min(TAKEN, taken - base);
    threadgroup_barrier(mem_flags::mem_threadgroup);  // the step before is done with the tile
    for (uint i = thread_index; i < channels * LINES * ACROSS; i += THREADS) {
      const int channel = int(i) / (LINES * ACROSS), at = int(i) % (LINES * ACROSS);
      const int row = place.top + at / ACROSS - TAPS / 2, column = place.left + at % ACROSS - TAPS / 2;
      const bool inside = row >= 0 && row < place.height && column >= 0 && column < place.width;
      tile[i] = inside ? x[((int(base) + channel) * place.height + row) * place.width + column] : 0.0f;
    }
    for (uint i = thread_index; i < channels * TAPS * TAPS * MADE / 4; i += THREADS) {
      const uint term = base * TAPS * TAPS + i / (MADE / 4), channel = i % (MADE / 4) * 4;
      weights[i] = *(device const float4*)(weight + term * place.made + place.first + channel);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);

    for (uint channel = 0; channel < channels; channel++) {
      threadgroup const float* corner = tile + (channel * LINES + pixel.y) * ACROSS + pixel.x;
      threadgroup const float4* w = weights + channel * TAPS * TAPS * MADE / 4;
      float4 part[MADE / 4];  // 9 products are added up before they join hundreds: shorter chains of roundings
      for (uint o = 0; o < MADE / 4; o++) part[o] = float4(0.0f);
      for (int tap = 0; tap < TAPS * TAPS; tap++) {
        const float value = corner[tap / TAPS * ACROSS + tap % TAPS];
        for (uint o = 0; o < MADE / 4; o++) part[o] += value * w[tap * (MADE / 4) + o];
      }
      for (uint o = 0; o < MADE / 4; o++) sums[o] += part[o];
    }
  }
}

constant constexpr uint TILE_FLOATS = TAKEN * (HEIGHT + 2) * (WIDTH + 2);
constant constexpr uint WEIGHT_QUADS = TAKEN * 9 * MADE / 4;

inline void store(thread const float4* sums, device float* out, Place place, uint2 pixel) {
  const int row = place.top + int(pixel.y), column = place.left + int(pixel.x);
  if (row >= place.height || column >= place.width) return;
  for (uint o = 0; o < MADE; o++) {
    out[((place.first + o) * place.height + row) * place.width + column] = max(sums[o / 4][o % 4], 0.0f);
  }
}

// The grid: tiles across and down, and images times blocks of MADE channels.
[[max_total_threads_per_threadgroup(THREADS)]]
kernel void convolve_relu(device const float* x, device const float* weight, device const float* bias,
                          device float* out, constant uint& taken, constant uint& made, constant uint& height,
                          constant uint& width, uint3 group [[threadgroup_position_in_grid]],
                          uint3 pixel [[thread_position_in_threadgroup]]) {
  threadgroup float tile[TILE_FLOATS];
  threadgroup float4 weights[WEIGHT_QUADS];
  const uint blocks = made / MADE, image = group.z / blocks;
  const Place place = {int(group.y * HEIGHT), int(group.x * WIDTH), int(height), int(width), made,
                       group.z % blocks * MADE};
  float4 sums[MADE / 4];
  for (uint o = 0; o < MADE / 4; o++) sums[o] = *(device const float4*)(bias + place.first + o * 4);
  convolve<3>(x + image * taken * height * width, taken, weight, sums, tile, weights, place, pixel.xy,
              pixel.y * WIDTH + pixel.x);
  store(sums, out + image * made * height * width, place, pixel.xy);
}

// The second convolution, the shortcut from the block's input, and ReLU.
[[max_total_threads_per_threadgroup(THREADS)]]
kernel void convolve_add_relu(device const float* y, device const float* weight, device const float* bias,
                              device const float* x, device const float* short_weight, device const float* short_bias,
                              device float* out, constant uint& taken, constant uint& made, constant uint& height,
                              constant uint& width, uint3 group [[threadgroup_position_in_grid]],
                              uint3 pixel [[thread_position_in_threadgroup]]) {
  threadgroup float tile[TILE_FLOATS];
  threadgroup float4 weights[WEIGHT_QUADS];
  const uint blocks = made / MADE, image = group.z / blocks, thread_index = pixel.y * WIDTH + pixel.x;
  const uint2 at = pixel.xy;
  const Place place = {int(group.y * HEIGHT), int(group.x * WIDTH), int(height), int(width), made,
                       group.z % blocks * MADE};
  float4 sums[MADE / 4];
  for (uint o = 0; o < MADE / 4; o++) {
    const uint channel = place.first + o * 4;
    sums[o] = *(device const float4*)(bias + channel) + *(device const float4*)(short_bias + channel);
  }
  convolve<3>(y + image * made * height * width, made, weight, sums, tile, weights, place, at, thread_index);
  convolve<1>(x + image * taken * height * width, taken, short_weight, sums, tile, weights, place, at, thread_index);
  store(sums, out + image * made * height * width, place, at);
}
"""

LIBRARY = torch.mps.compile_shader(SOURCE)
HEIGHT, WIDTH, MADE = 8, 16, 16


def folded(conv, norm):
    """Weights with the batch norm in them, as (in channels × taps, out channels), and the bias."""
    weight = conv.weight
    made, terms = weight.shape[0], weight[0].numel()
    matrix = torch.empty(terms, made, dtype=weight.dtype, device=weight.device)
    bias = torch.empty(made, dtype=weight.dtype, device=weight.device)
    LIBRARY.fold(
        weight, norm.weight, norm.bias, norm.running_mean, norm.running_var, matrix, bias, norm.eps, made, terms,
        threads=(made, terms), group_size=(min(made, 256), 1), arg_casts={8: "int32", 9: "int32"},
    )  # fmt: skip
    return matrix, bias


class ModelNew(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        if out_channels % MADE:
            raise ValueError(f"a multiple of {MADE} output channels is needed, not {out_channels}")
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))

    def forward(self, x):
        x = x.contiguous()
        images, taken, height, width = x.shape
        made = self.first.out_channels
        y = torch.empty(images, made, height, width, dtype=x.dtype, device=x.device)
        out = torch.empty_like(y)
        sizes = (taken, made, height, width)
        grid = (-(-width // WIDTH) * WIDTH, -(-height // HEIGHT) * HEIGHT, images * (made // MADE))
        shape = {"threads": grid, "group_size": (WIDTH, HEIGHT, 1), "arg_casts": "int32"}
        LIBRARY.convolve_relu(x, *folded(self.first, self.first_norm), y, *sizes, **shape)
        second, short = folded(self.second, self.second_norm), folded(self.shortcut[0], self.shortcut[1])
        LIBRARY.convolve_add_relu(y, *second, x, *short, out, *sizes, **shape)
        return out
