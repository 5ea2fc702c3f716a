"""A chain of clamps, ReLUs and scalings as one clamp and one multiplication.

Fuses: seven elementwise operators.
Moves: 8 bytes per element, 32 MiB for 2048 × 2048. Eager's seven operators move 56.
Why so: clamps composed are a clamp again. Where the chain is not constant it is the identity, so its bounds are what it
makes of -inf and of +inf; the host works them out once. What is left is a kernel at the memory limit: one float4 per
thread, 512 bytes for each SIMD-group. `x * 3 / 1.5` is a multiplication by 2, which rounds nothing.
"""

import math

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

// Metal's clamp may turn NaN into a bound; torch's keeps it. On the bits, since fast math may assume there is none.
inline float clamped(float x, float low, float high, float factor) {
  const bool is_nan = (as_type<uint>(x) & 0x7fffffffu) > 0x7f800000u;
  return is_nan ? x : min(max(x, low), high) * factor;
}

kernel void clamp_scale(device const float* x, device float* out, constant uint& elements, constant float& low,
                        constant float& high, constant float& factor, uint quad [[thread_position_in_grid]]) {
  const uint first = quad * 4;
  if (first + 4 <= elements) {
    const float4 v = *(device const float4*)(x + first);
    *(device float4*)(out + first) = float4(clamped(v.x, low, high, factor), clamped(v.y, low, high, factor),
                                            clamped(v.z, low, high, factor), clamped(v.w, low, high, factor));
    return;
  }
  for (uint i = first; i < elements; i++) out[i] = clamped(x[i], low, high, factor);
}
"""

LIBRARY = torch.mps.compile_shader(SOURCE)


def dense(x):
    """Contiguous, and starting on 16 bytes as float4 wants it: a view may start anywhere in its memory."""
    x = x.contiguous()
    return x.clone() if x.storage_offset() % 4 else x


class ModelNew(nn.Module):
    def __init__(self, low, high):
        super().__init__()
        self.low = low
        self.high = high

    def chain(self, x):
        """The clamps for one number; below, a minimum above the maximum gives the maximum, as in torch."""
        x = min(max(x, self.low), self.high)
        x = min(max(x, -1.0), 3.0)
        return min(abs(max(x, 0.0)), self.high)

    def forward(self, x):
        x = dense(x)
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        elements = x.numel()
        low, high = self.chain(-math.inf), self.chain(math.inf)
        LIBRARY.clamp_scale(
            x, out, elements, low, high, 3.0 / 1.5,
            threads=-(-elements // 4), group_size=256, arg_casts={2: "int32"},
        )  # fmt: skip
        return out
