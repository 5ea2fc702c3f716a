"""Convolutions and transposed convolutions: folding into the kernel, and sums over their output positions."""

from math import prod
from typing import Any

from kernelwright.authors.graph.ops import conv_positions
from kernelwright.authors.rewriter.rule import Match, Rule, along, precise, rule, vector
from kernelwright.authors.rewriter.terms import Term, Terms


def conv(t: Terms, x: Term, weight: Term, *bias: Term, **attrs: Any) -> Term:
    """A convolution with these attributes."""
    return t.make("conv", x, weight, *bias, **attrs)


def kernel_shape(kernel: Term, size: int, axis: int) -> tuple[int, ...]:
    """The shape in which a vector of ``size`` broadcasts along one axis of the kernel."""
    return tuple(size if d == axis else 1 for d in range(kernel.rank))


@rule(
    "batch-norm-as-affine",
    "(batch_norm x g b u v)",
    proof="(x - μ)/√(σ² + ε)·γ + β = x·s + (β - μ·s) with s = γ/√(σ² + ε)",
    when="evaluation mode: the statistics are weights",
)
def batch_norm_as_affine(t: Terms, m: Match) -> Term | None:
    if not all(w.weight_only for w in (m.g, m.b, m.u, m.v)):
        return None
    scale = t.mul(m.g, t.make("rsqrt", t.add(m.v, m.batch_norm.attr["eps"])))
    shift = t.make("sub", m.b, t.mul(m.u, scale))
    per_channel = (1, scale.shape[0], *(1,) * (m.x.rank - 2))
    return t.add(t.mul(m.x, t.reshape(scale, per_channel)), t.reshape(shift, per_channel))


@rule("conv-split-bias", "(conv x w b)", proof="a convolution with bias is one without, then + b per channel")
def split_bias(t: Terms, m: Match) -> Term | None:
    per_channel = (1, m.b.shape[0], *(1,) * (m.x.rank - 2))
    return t.add(conv(t, m.x, m.w, **m.conv.attr), t.reshape(m.b, per_channel))


@rule(
    "conv-join-bias",
    "(add (conv x w) c)",
    proof="conv(x) + c is a convolution with bias c",
    when="c is weight-only and varies along the channels alone",
)
def join_bias(t: Terms, m: Match) -> Term | None:
    bias = vector(t, m.c, 1, m.conv) if m.c.weight_only and m.root.type == m.conv.type else None
    return None if bias is None else conv(t, m.x, m.w, bias, **m.conv.attr)


@rule(
    "conv-take-scale",
    "(mul (conv x w) s)",
    proof="a scale per output channel commutes with the sums over taps and input channels",
    when="s is weight-only and varies along the channels alone (a number, for grouped transposed convolutions)",
)
def take_scale(t: Terms, m: Match) -> Term | None:
    scale = along(t, m.s, 1, m.conv) if m.s.weight_only and m.root.type == m.conv.type else None
    if scale is None:
        return None
    if scale.op != "const":
        axis = 1 if m.conv.attr["transposed"] else 0
        if axis == 1 and m.conv.attr["groups"] > 1:
            return None  # output channels are then spread over both axes of the kernel
        scale = t.reshape(scale, kernel_shape(m.w, scale.shape[0], axis))
    return conv(t, m.x, t.mul(m.w, scale), **m.conv.attr)


@rule(
    "conv-take-input-scale",
    "(conv (mul x s) w)",
    proof="a scale per input channel commutes with the sum over taps; zero padding stays zero",
    when="s and w are weight-only, s varies along the channels alone, and groups do not mix them",
)
def take_input_scale(t: Terms, m: Match) -> Term | None:
    fits = m.s.weight_only and m.w.weight_only and m.x.type == m.mul.type
    scale = along(t, m.s, 1, m.x) if fits else None
    if scale is None:
        return None
    if scale.op != "const":
        axis = 0 if m.conv.attr["transposed"] else 1
        if axis == 1 and m.conv.attr["groups"] > 1:
            return None  # each output channel then sees another part of the scale
        scale = t.reshape(scale, kernel_shape(m.w, scale.shape[0], axis))
    return conv(t, m.x, t.mul(m.w, scale), **m.conv.attr)


@rule(
    "conv-take-input-shift",
    "(conv (add x c) w)",
    proof="without padding every output position sees the whole shift: conv(x + c) = conv(x) + Σ W·c",
    when="c and w are weight-only, c varies along the channels alone; no padding, no groups, not transposed",
)
def take_input_shift(t: Terms, m: Match) -> Term | None:
    attrs = m.conv.attr
    fits = m.c.weight_only and m.w.weight_only and m.x.type == m.add.type
    if not fits or attrs["transposed"] or any(attrs["padding"]) or attrs["groups"] > 1:
        return None
    shift = vector(t, m.c, 1, m.x)
    if shift is None:
        return None
    spread = t.mul(m.w, t.reshape(shift, kernel_shape(m.w, shift.shape[0], 1)))
    total = t.sum(spread, range(1, m.w.rank))
    return t.add(conv(t, m.x, m.w, **attrs), t.reshape(total, (1, m.w.shape[0], *(1,) * (m.x.rank - 2))))


@rule(
    "add-convs",
    "(add (conv@first x v) (conv@second x w))",
    proof="convolution is linear in its kernel",
    when="both kernels are weight-only, of one shape and with the same geometry",
)
def add_convs(t: Terms, m: Match) -> Term | None:
    same = m.first.node.attrs == m.second.node.attrs and m.v.type == m.w.type
    return conv(t, m.x, t.add(m.v, m.w), **m.first.attr) if same and m.v.weight_only and m.w.weight_only else None


@rule(
    "sum-channels-of-conv",
    "(sum (conv x w))",
    proof="Σₒ conv(x, Wₒ) = conv(x, Σₒ Wₒ), and Σₙ conv(xₙ, W) = conv(Σₙ xₙ, W)",
    when="channels or the batch are summed, no groups for channels; float32 or wider",
)
def suoutput_channels(t: Terms, m: Match) -> Term | None:
    attrs, dims = m.conv.attr, set(m.sum.attr["dims"])
    moved = dims & ({0, 1} if attrs["groups"] == 1 else {0})
    if not moved or not m.sum.attr["keepdim"] or not precise(m.root):
        return None
    weight = t.sum(m.w, [1 if attrs["transposed"] else 0]) if 1 in moved else m.w
    x = t.sum(m.x, [0]) if 0 in moved else m.x
    return t.sum(conv(t, x, weight, **attrs), sorted(dims - moved))


Windows = tuple[tuple[int, int, int], ...]


def windows(attrs: dict[str, Any], axis: int, size: int, taps: int, positions: int) -> Windows:
    """For each tap, the (start, stop, step) of input positions along ``axis`` that it meets at some output position.

    Output position p meets input position p·stride + k·dilation - padding at tap k; transposed, input position i
    reaches output position i·stride + k·dilation - padding. What falls into the padding, or outside, contributes
    nothing, so windows differ by tap.
    """
    stride, padding, dilation = (attrs[key][axis] for key in ("stride", "padding", "dilation"))
    found: list[tuple[int, int, int]] = []
    for k in range(taps):
        offset = k * dilation - padding
        limit = positions if attrs["transposed"] else size
        first = max(0, -(offset // stride))
        last = min((size if attrs["transposed"] else positions) - 1, (limit - 1 - offset) // stride)
        if last < first:
            found.append((0, 0, 1))
        elif attrs["transposed"]:
            found.append((first, last + 1, 1))
        else:
            found.append((first * stride + offset, last * stride + offset + 1, stride))
    return tuple(found)


@rule(
    "sum-positions-of-conv",
    "(sum (conv x w))",
    proof="Σₚ Σₖ Wₖ·x[p·s + k·d - pad] = Σₖ Wₖ·Sₖ, where Sₖ sums x over the window of positions that tap k meets",
    when="positions along at least one axis are summed; float32 or wider",
)
def sum_positions(t: Terms, m: Match) -> Term | None:
    attrs, dims = m.conv.attr, m.sum.attr["dims"]
    summed = [d - 2 for d in dims if d >= 2]
    if not summed or not precise(m.root) or not m.sum.attr["keepdim"] or not m.w.weight_only:
        return None
    taps = m.w.shape[2:]
    positions = conv_positions(attrs, m.x.shape[2:], taps)
    x, w = m.x, m.w
    for axis in summed:
        x, w = sum_axis(t, x, w, axis, windows(attrs, axis, m.x.shape[2 + axis], taps[axis], positions[axis]))
    result = conv_without(t, x, w, attrs, summed)
    rest = [n for axis, n in enumerate(positions) if axis not in summed]
    shape = [result.shape[0], result.shape[1], *(1 if a in summed else rest.pop(0) for a in range(len(taps)))]
    return t.sum(t.reshape(result, shape), [d for d in dims if d < 2])


def sum_axis(t: Terms, x: Term, w: Term, axis: int, spans: Windows) -> tuple[Term, Term]:
    """Sums over one axis of positions: x along the windows, the kernel along its taps where all windows are one."""
    size = x.shape[2 + axis]
    if len(set(spans)) > 1:
        return t.make("window_sums", x, dim=2 + axis, windows=spans), w
    whole = spans[0] == (0, size, 1)
    x = t.sum(x, [2 + axis]) if whole else t.make("window_sums", x, dim=2 + axis, windows=spans[:1])
    return x, t.sum(w, [2 + axis])


def conv_without(t: Terms, x: Term, w: Term, attrs: dict[str, Any], gone: list[int]) -> Term:
    """The convolution that is left when the taps of the axes ``gone`` have become input channels.

    ``x`` has one entry per tap along those axes. A channel's taps stay side by side, so groups keep their channels.
    """
    rank = x.rank - 2
    kept = [axis for axis in range(rank) if axis not in gone]
    order = [0, 1, *(2 + a for a in gone), *(2 + a for a in kept)]
    x = t.permute(x, order)
    x = t.reshape(x, (x.shape[0], prod(x.shape[1 : 2 + len(gone)]), *x.shape[2 + len(gone) :]))
    if attrs["transposed"]:  # kernel [in, out/groups, …]: taps go beside the input channels
        w = t.permute(w, [0, *(2 + a for a in gone), 1, *(2 + a for a in kept)])
        w = t.reshape(w, (prod(w.shape[: 1 + len(gone)]), *w.shape[1 + len(gone) :]))
    else:
        w = t.permute(w, order)
        w = t.reshape(w, (w.shape[0], prod(w.shape[1 : 2 + len(gone)]), *w.shape[2 + len(gone) :]))
    if kept:
        per_axis = ("stride", "padding", "dilation", "output_padding")
        return conv(t, x, w, **(attrs | {key: tuple(attrs[key][a] for a in kept) for key in per_axis}))
    if attrs["groups"] == 1:
        return t.linear(x, t.permute(w, (1, 0)) if attrs["transposed"] else w)
    point = {"stride": (1,), "padding": (0,), "dilation": (1,), "output_padding": (0,)}
    x, w = t.reshape(x, (*x.shape, 1)), t.reshape(w, (*w.shape, 1))
    return t.reshape(conv(t, x, w, **(attrs | point)), (x.shape[0], output_channels(w, attrs)))


def output_channels(w: Term, attrs: dict[str, Any]) -> int:
    """Output channels of a kernel."""
    return w.shape[1] * attrs["groups"] if attrs["transposed"] else w.shape[0]


RULES: tuple[Rule, ...] = (
    batch_norm_as_affine,
    split_bias,
    join_bias,
    take_scale,
    take_input_scale,
    take_input_shift,
    add_convs,
    suoutput_channels,
    sum_positions,
)
