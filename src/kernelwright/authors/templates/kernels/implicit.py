"""A convolution as a product over patches of its input as it lies, channels first (implicit GEMM): nothing is unfolded.

Rows are places of one image, columns are output channels; what is summed over are the taps of all input channels. Three
tf32 products for one (``tf32x3``): as exactly as float32's, as long as sums are short.

Threads that lie side by side are to read places that do, as in kernels/windows.py.
"""

import triton
import triton.language as tl


@triton.jit
def implicit_kernel(
    source, filters, out, IN: tl.constexpr, OUT: tl.constexpr,
    D: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OD: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, SD: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PD: tl.constexpr, PH: tl.constexpr, PW: tl.constexpr, DD: tl.constexpr, DH: tl.constexpr, DW: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    # blocks of the same places lie side by side: what they read together comes from the L2 cache
    across: tl.constexpr = (OUT + BN - 1) // BN
    places: tl.constexpr = OD * OH * OW
    products: tl.constexpr = IN * KD * KH * KW
    image = tl.program_id(1).to(tl.int64)
    spot = tl.program_id(0) // across * BM + tl.arange(0, BM)
    channel = tl.program_id(0) % across * BN + tl.arange(0, BN)
    there, within = spot < places, channel < OUT
    d, h, w = spot // (OH * OW) * SD - PD, spot // OW % OH * SH - PH, spot % OW * SW - PW
    corner = (d * H + h) * W + w
    source += image * (IN * D * H * W)
    x = tl.zeros([BM, BN], tl.float32)
    for start in range(0, products, BK):
        inner = start + tl.arange(0, BK)
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
        taps = tl.load(filters + (channel[None, :] * products + inner[:, None]), mask=known, other=0.0)
        x = tl.dot(patches, taps, x, input_precision="tf32x3")
    inside = there[:, None] & within[None, :]
    place = image * (OUT * places) + (spot[:, None] + channel[None, :] * places)
    # EPILOGUE: x becomes what is stored
    tl.store(out + place, x, mask=inside)
