"""Around a convolution in float16: NCHW float32 in and out, channels last between, and one power of two for the input.

PyTorch lets cuDNN use tf32 for float32 convolutions on NVIDIA GPUs (torch.backends.cudnn.allow_tf32). tf32 and float16
have the same 11 significant bits; the powers of two make up for float16's smaller range. Weights are in units that keep
the sum of a filter's absolute values below 1, the input in one that brings its largest element to 2¹⁴…2¹⁵: no output
can overflow.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def largest_kernel(x, largest, N, BLOCK: tl.constexpr):
    sizes = tl.zeros([BLOCK], tl.float32)
    # 64 bits: the last step may lead beyond 2³¹, where 32 would begin again far below zero
    for start in range(tl.program_id(0).to(tl.int64) * BLOCK, N, tl.num_programs(0) * BLOCK):
        place = start + tl.arange(0, BLOCK)
        size = tl.abs(tl.load(x + place, mask=place < N, other=0.0))
        sizes = tl.maximum(sizes, tl.where(size < float("inf"), size, 0.0))
    # the bits of floats that are not negative are in their order
    tl.atomic_max(largest, tl.max(sizes, 0).to(tl.int32, bitcast=True))


@triton.jit
def channels_last_kernel(x, largest, half, unit, C, S, CHANNELS: tl.constexpr, PLACES: tl.constexpr):
    bits = tl.load(largest)
    exponent = tl.where(bits > 0, tl.minimum(tl.maximum(14 - ((bits >> 23) - 127), -126), 126), 0)
    if (tl.program_id(0) == 0) & (tl.program_id(1) == 0) & (tl.program_id(2) == 0):
        tl.store(unit, ((127 - exponent) << 23).to(tl.float32, bitcast=True))
    scale = ((exponent + 127) << 23).to(tl.float32, bitcast=True)
    place = tl.program_id(0) * PLACES + tl.arange(0, PLACES)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    image = tl.program_id(2).to(tl.int64) * C * S
    mask = (channel[:, None] < C) & (place[None, :] < S)
    values = tl.load(x + image + channel[:, None].to(tl.int64) * S + place[None, :], mask=mask, other=0.0) * scale
    tl.store(half + image + place[None, :].to(tl.int64) * C + channel[:, None], values.to(tl.float16), mask=mask)


def to_half_channels_last(x, format):
    """x in float16, channels last, in units of a power of two; and that power."""
    x = x.contiguous()
    images, channels, places = x.shape[0], x.shape[1], x[0, 0].numel()
    largest = torch.zeros((), dtype=torch.int32, device=x.device)
    unit = torch.empty((), dtype=torch.float32, device=x.device)
    half = torch.empty(x.shape, dtype=torch.float16, device=x.device, memory_format=format)
    programs = min(triton.cdiv(x.numel(), 8192), 1056)
    largest_kernel[(programs,)](x, largest, x.numel(), BLOCK=8192, num_warps=8)
    wide = min(64, triton.next_power_of_2(channels))
    grid = (triton.cdiv(places, 128), triton.cdiv(channels, wide), images)
    channels_last_kernel[grid](x, largest, half, unit, channels, places, CHANNELS=wide, PLACES=128, num_warps=8)
    return half, unit
