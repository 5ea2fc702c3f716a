"""From a float16 result that lies channels last to the float32 one that lies as PyTorch's does, and what follows it."""

import triton
import triton.language as tl


@triton.jit
def after_kernel(y, unit, filter_unit, out, C, S, CHANNELS: tl.constexpr, PLACES: tl.constexpr):
    spot = tl.program_id(0) * PLACES + tl.arange(0, PLACES)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    image = tl.program_id(2).to(tl.int64) * C * S
    inside = (channel[:, None] < C) & (spot[None, :] < S)
    x = tl.load(y + image + spot[None, :].to(tl.int64) * C + channel[:, None], mask=inside, other=0.0).to(tl.float32)
    x *= tl.load(unit) * tl.load(filter_unit + channel, mask=channel < C, other=0.0)[:, None]
    place = image + channel[:, None].to(tl.int64) * S + spot[None, :]
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
