"""A convolution, plain or transposed, as products over its input as it lies, channels first, one tap after the other.

A transposed convolution with strides is a plain one for each phase of the output: places that are a stride apart see
the same taps. Phases of a block run side by side, so that what they write between each other meets in the L2 cache.
What is read is brought into float16's range where it is read, by one power of two for each place and step: as exact as
tf32. Sums of a step are added in float32 outside of the tensor cores (kernels/product.py).
"""

import triton
import triton.language as tl

from kernelwright.authors.templates.kernels.split import finite_size, power_of_two, unit_exponent


@triton.jit
def taps_of_phase(
    phase, K: tl.constexpr, S: tl.constexpr, P: tl.constexpr, D: tl.constexpr, EVERY: tl.constexpr,
    TRANSPOSED: tl.constexpr,
):  # fmt: skip
    """The first tap that a phase sees, how many it sees, EVERY apart, and where the first one lies in the input."""
    if TRANSPOSED:
        first = phase * 0 + K
        for k in tl.static_range(EVERY):
            first = tl.where(((phase + P - k * D) % S == 0) & (k < K), k, first)
        number = (K - first + EVERY - 1) // EVERY
        start = (phase + P - first * D) // S
    else:
        first = phase * 0
        number = first + K
        start = first - P
    return first, number, start


@triton.jit
def direct_kernel(
    source, filters, unit, out, IMAGES: tl.constexpr, GROUPS: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr,
    D: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OD: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, SD: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PD: tl.constexpr, PH: tl.constexpr, PW: tl.constexpr, DD: tl.constexpr, DH: tl.constexpr, DW: tl.constexpr,
    ED: tl.constexpr, EH: tl.constexpr, EW: tl.constexpr, TRANSPOSED: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """IN and OUT: channels of a group. E: taps from one that a phase sees to the next."""
    # outputs are UP apart in a phase, their inputs DOWN; from tap to tap the input moves by M
    UD: tl.constexpr = SD if TRANSPOSED else 1
    UH: tl.constexpr = SH if TRANSPOSED else 1
    UW: tl.constexpr = SW if TRANSPOSED else 1
    MD: tl.constexpr = -(ED * DD // SD) if TRANSPOSED else DD
    MH: tl.constexpr = -(EH * DH // SH) if TRANSPOSED else DH
    MW: tl.constexpr = -(EW * DW // SW) if TRANSPOSED else DW
    high: tl.constexpr = (OH + UH - 1) // UH
    wide: tl.constexpr = (OW + UW - 1) // UW
    each: tl.constexpr = (OD + UD - 1) // UD * high * wide
    down: tl.constexpr = (OUT + BM - 1) // BM
    phase, block = tl.program_id(0) % (UD * UH * UW), tl.program_id(0) // (UD * UH * UW)
    group = block // down % GROUPS
    row = block % down * BM + tl.arange(0, BM)
    within = row < OUT
    channel = group * OUT + row
    column = block // (down * GROUPS) * BN + tl.arange(0, BN)
    image = (column // each).to(tl.int64)
    od, oh, ow = column % each // (high * wide), column // wide % high, column % wide
    first_d, number_d, start_d = taps_of_phase(phase // (UW * UH), KD, SD, PD, DD, ED, TRANSPOSED)
    first_h, number_h, start_h = taps_of_phase(phase // UW % UH, KH, SH, PH, DH, EH, TRANSPOSED)
    first_w, number_w, start_w = taps_of_phase(phase % UW, KW, SW, PW, DW, EW, TRANSPOSED)
    zd, zh, zw = od * (SD // UD) + start_d, oh * (SH // UH) + start_h, ow * (SW // UW) + start_w
    base = (image * GROUPS + group) * (IN * D * H * W)
    od, oh, ow = od * UD + phase // (UW * UH), oh * UH + phase // UW % UH, ow * UW + phase % UW
    there = (column < IMAGES * each) & (od < OD) & (oh < OH) & (ow < OW)
    steps: tl.constexpr = (IN + BK - 1) // BK
    x = tl.zeros([BM, BN], tl.float32)
    for t in range(number_d * number_h * number_w * steps):
        tap = t // steps
        across, up, deep = tap % number_w, tap // number_w % number_h, tap // (number_w * number_h)
        d, h, w = zd + deep * MD, zh + up * MH, zw + across * MW
        seen = there & (d >= 0) & (d < D) & (h >= 0) & (h < H) & (w >= 0) & (w < W)
        inner = t % steps * BK + tl.arange(0, BK)
        spot = (base + (d * H + h) * W + w)[None, :] + inner[:, None] * (D * H * W)
        v = tl.load(source + spot, mask=(inner < IN)[:, None] & seen[None, :], other=0.0)
        exponent = unit_exponent(tl.max(finite_size(v), 0))
        top = (v * power_of_two(exponent)[None, :]).to(tl.float16)
        number = ((first_d + deep * ED) * KH + first_h + up * EH) * KW + first_w + across * EW
        place = (number * (GROUPS * OUT) + channel)[:, None] * IN + inner[None, :]
        taps = tl.load(filters + place, mask=within[:, None] & (inner < IN)[None, :], other=0.0)
        x += tl.dot(taps, top) * power_of_two(-exponent)[None, :]
    x *= tl.load(unit + channel, mask=within, other=0.0)[:, None]
    inside = within[:, None] & there[None, :]
    place = (image * (GROUPS * OUT * OD * OH * OW) + (od * OH + oh) * OW + ow)[None, :]
    place += channel[:, None] * (OD * OH * OW)
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
