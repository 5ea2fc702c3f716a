"""A convolution as a product over patches of its input as it lies, channels first (implicit GEMM): nothing is unfolded.

Rows are places of one image, columns are output channels; what is summed over are the taps of all input channels. The
sum is cut into steps that are written out: then each thread reads its own place with offsets that are numbers in the
code. Threads that lie side by side are to read places that do, as in kernels/windows.py.

EXACT: three tf32 products for one, as exactly as float32's. Tensor cores round towards zero whenever they add to a sum,
by some 2e-8 of it as seen on an H200. So what the leading parts give is added up apart from the rest, whose errors do
not count, and taken out of the tensor cores after every LONGEST products.
"""

import triton
import triton.language as tl


@triton.jit
def nearest(x):
    """The nearest number of tf32's 11 significant bits; tensor cores would leave the other bits out."""
    return tl.inline_asm_elementwise("cvt.rna.tf32.f32 $0, $1;", "=r,r", [x], dtype=tl.float32, is_pure=True, pack=1)


@triton.jit
def implicit_kernel(
    source, filters, out, IN: tl.constexpr, OUT: tl.constexpr,
    D: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OD: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, SD: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PD: tl.constexpr, PH: tl.constexpr, PW: tl.constexpr, DD: tl.constexpr, DH: tl.constexpr, DW: tl.constexpr,
    EXACT: tl.constexpr, LONGEST: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    # blocks of the same places lie side by side: what they read together comes from the L2 cache
    across: tl.constexpr = (OUT + BN - 1) // BN
    places: tl.constexpr = OD * OH * OW
    products: tl.constexpr = IN * KD * KH * KW
    steps: tl.constexpr = (products + BK - 1) // BK
    image = tl.program_id(1).to(tl.int64)
    spot = tl.program_id(0) // across * BM + tl.arange(0, BM)
    channel = tl.program_id(0) % across * BN + tl.arange(0, BN)
    there, within = spot < places, channel < OUT
    d, h, w = spot // (OH * OW) * SD - PD, spot // OW % OH * SH - PH, spot % OW * SW - PW
    corner = (d * H + h) * W + w
    source += image * (IN * D * H * W)
    x = tl.zeros([BM, BN], tl.float32)
    rest = tl.zeros([BM, BN], tl.float32)
    whole = tl.zeros([BM, BN], tl.float32)
    for step in tl.static_range(steps):
        inner = step * BK + tl.arange(0, BK)
        kd, kh, kw = inner // (KH * KW) % KD * DD, inner // KW % KH * DH, inner % KW * DW
        fits = there[:, None] & (inner < products)[None, :]
        if PD > 0:
            fits &= (d[:, None] + kd[None, :] >= 0) & (d[:, None] + kd[None, :] < D)
        if PH > 0:
            fits &= (h[:, None] + kh[None, :] >= 0) & (h[:, None] + kh[None, :] < H)
        if PW > 0:
            fits &= (w[:, None] + kw[None, :] >= 0) & (w[:, None] + kw[None, :] < W)
        tap = ((inner // (KD * KH * KW) * D + kd) * H + kh) * W + kw
        seen = corner[:, None] + tap[None, :]
        seen = tl.max_contiguous(tl.multiple_of(seen, (1, 1)), (BM, 1))
        patches = tl.load(source + seen, mask=fits, other=0.0)
        known = (inner < products)[:, None] & within[None, :]
        taps = tl.load(filters + (inner[:, None] * OUT + channel[None, :]), mask=known, other=0.0)
        high, firm = nearest(patches), nearest(taps)
        if EXACT:
            low, fine = tl.where(high == patches, 0.0, patches - high), taps - firm  # no low part beside an infinity
            rest = tl.dot(low, firm, rest, input_precision="tf32")
            rest = tl.dot(high, fine, rest, input_precision="tf32")
        x = tl.dot(high, firm, x, input_precision="tf32")
        if EXACT and (step + 1) * BK % LONGEST == 0 and step + 1 < steps:
            whole += x
            x = tl.zeros([BM, BN], tl.float32)
    if EXACT:
        x = x + rest + whole
    inside = there[:, None] & within[None, :]
    place = image * (OUT * places) + (spot[:, None] + channel[None, :] * places)
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
