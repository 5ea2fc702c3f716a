"""Pooling: average pools are linear, and vanish into convolutions and linear layers; pools of pools are pools."""

from math import gcd, prod
from typing import Any

from kernelwright.authors.rewriter.rule import Match, Rule, padded, precise, rule
from kernelwright.authors.rewriter.rules.convolution import Windows, conv
from kernelwright.authors.rewriter.terms import Term, Terms


def bare(pool: Term) -> bool:
    """Without padding: every window holds as many elements."""
    return not any(pool.attr["padding"])


def pooled_axes(pool: Term) -> range:
    return range(pool.rank - len(pool.attr["kernel"]), pool.rank)


@rule(
    "merge-average-pools",
    "(avg_pool@outer (avg_pool@inner x))",
    proof="a mean of means over windows of one size that do not overlap is the mean over them together",
    when="no padding, and the inner windows do not overlap; float32 or wider",
)
def merge_average_pools(t: Terms, m: Match) -> Term | None:
    inner, outer = m.inner.attr, m.outer.attr
    fits = bare(m.inner) and bare(m.outer) and inner["kernel"] == inner["stride"] and precise(m.root)
    if not fits or len(inner["kernel"]) != len(outer["kernel"]):
        return None
    kernel, stride = (
        tuple(a * b for a, b in zip(inner["kernel"], outer[key], strict=True)) for key in ("kernel", "stride")
    )
    return t.make("avg_pool", m.x, **(outer | {"kernel": kernel, "stride": stride}))


@rule(
    "merge-max-pools",
    "(max_pool@outer (max_pool@inner x))",
    proof="the largest of the largest of windows is the largest of all that they hold",
    when="no padding, no dilation, no partial windows, and the outer's windows leave nothing out between them",
)
def merge_max_pools(t: Terms, m: Match) -> Term | None:
    inner, outer = m.inner.attr, m.outer.attr
    plain = all(set(a["dilation"]) == {1} and not a["ceil_mode"] and not any(a["padding"]) for a in (inner, outer))
    gapless = all(s <= k for s, k in zip(inner["stride"], inner["kernel"], strict=True))
    if not plain or not gapless or len(inner["kernel"]) != len(outer["kernel"]):
        return None
    pairs = zip(inner["kernel"], inner["stride"], outer["kernel"], strict=True)
    kernel = tuple(k + (n - 1) * s for k, s, n in pairs)
    stride = tuple(a * b for a, b in zip(inner["stride"], outer["stride"], strict=True))
    return t.make("max_pool", m.x, **(outer | {"kernel": kernel, "stride": stride}))


@rule(
    "average-pool-of-scaled",
    "(avg_pool (mul x c))",
    proof="the mean of x·c is the mean of x times c",
    when="c does not vary along the pooled axes and does not widen x; float32 or wider",
)
def average_pool_of_scaled(t: Terms, m: Match) -> Term | None:
    shape = padded(m.c.shape, m.x.rank)
    fits = m.x.type == m.mul.type and precise(m.root) and all(shape[d] == 1 for d in pooled_axes(m.avg_pool))
    return t.mul(t.make("avg_pool", m.x, **m.avg_pool.attr), m.c) if fits else None


@rule(
    "average-pool-of-shifted",
    "(avg_pool (add x c))",
    proof="the mean of x + c is the mean of x plus c",
    when="c does not vary along the pooled axes and does not widen x, no padding; float32 or wider",
)
def average_pool_of_shifted(t: Terms, m: Match) -> Term | None:
    shape = padded(m.c.shape, m.x.rank)
    fits = m.x.type == m.add.type and precise(m.root) and all(shape[d] == 1 for d in pooled_axes(m.avg_pool))
    return t.add(t.make("avg_pool", m.x, **m.avg_pool.attr), m.c) if fits and bare(m.avg_pool) else None


@rule(
    "max-pool-of-affine",
    "(max_pool (mul@inner x c))",
    "(max_pool (add@inner x c))",
    proof="a shift moves every element of a window alike, and a positive scale keeps their order",
    when="c does not vary along the pooled axes and does not widen x; a scale is a positive number",
)
def max_pool_of_affine(t: Terms, m: Match) -> Term | None:
    shape = padded(m.c.shape, m.x.rank)
    if m.x.type != m.inner.type or any(shape[d] != 1 for d in pooled_axes(m.max_pool)):
        return None
    if m.inner.op == "mul" and not (m.c.op == "const" and m.c.attr["value"] > 0):
        return None
    return t.make(m.inner.op, t.make("max_pool", m.x, **m.max_pool.attr), m.c)


@rule(
    "average-pool-as-mean",
    "(avg_pool x)",
    proof="windows side by side are an axis of their own",
    when="one pooled axis, windows that neither overlap nor leave anything out, no padding",
)
def average_pool_as_mean(t: Terms, m: Match) -> Term | None:
    attrs, shape = m.avg_pool.attr, m.x.shape
    size = attrs["kernel"][0]
    if len(attrs["kernel"]) != 1 or attrs["stride"] != attrs["kernel"] or not bare(m.avg_pool) or shape[-1] % size:
        return None
    split = t.reshape(m.x, (*shape[:-1], shape[-1] // size, size))
    return t.reshape(t.reduce("mean", split, (split.rank - 1,)), m.root.shape)


@rule(
    "average-pool-before-pointwise",
    "(avg_pool (conv x w))",
    proof="a convolution of one tap mixes channels alone, and averages commute with that",
    when="one tap, stride one, no padding in the convolution; float32 or wider",
)
def average_pool_before_pointwise(t: Terms, m: Match) -> Term | None:
    attrs = m.conv.attr
    point = set(m.w.shape[2:]) == set(attrs["stride"]) == {1} and not any(attrs["padding"] + attrs["output_padding"])
    if not point or not precise(m.root) or len(m.avg_pool.attr["kernel"]) != m.x.rank - 2:
        return None
    return conv(t, t.make("avg_pool", m.x, **m.avg_pool.attr), m.w, **attrs)


@rule(
    "average-pool-of-conv",
    "(avg_pool (conv x w))",
    proof="1/n·Σⱼₖ Wₖ·x[(p·S + j)·s + k·d - pad] = Σₘ W'ₘ·x[p·S·s + m·g - pad], W'ₘ the sum of Wₖ with j·s + k·d = m·g",
    when="w is weight-only, the pool has no padding, the convolution is not transposed; float32 or wider",
)
def average_pool_of_conv(t: Terms, m: Match) -> Term | None:
    attrs, pool = m.conv.attr, m.avg_pool.attr
    fits = m.w.weight_only and bare(m.avg_pool) and precise(m.root) and len(pool["kernel"]) == m.x.rank - 2
    if not fits or attrs["transposed"]:
        return None
    w, steps = m.w, []
    for axis, count in enumerate(pool["kernel"]):
        stride, dilation, taps = attrs["stride"][axis], attrs["dilation"][axis], m.w.shape[2 + axis]
        step = gcd(stride, dilation) if taps > 1 else stride
        spans = wider_taps(count, stride, dilation, taps, step)
        w = w if count == 1 else t.make("window_sums", w, dim=2 + axis, windows=spans)
        steps.append(dilation if count == 1 else step)
    stride = tuple(a * b for a, b in zip(attrs["stride"], pool["stride"], strict=True))
    pooled = conv(
        t, m.x, t.mul(w, 1.0 / prod(pool["kernel"])), **(attrs | {"stride": stride, "dilation": tuple(steps)})
    )
    return pooled if pooled.type == m.root.type else None


def wider_taps(count: int, stride: int, dilation: int, taps: int, step: int) -> Windows:
    """For each tap m of the pooled kernel, the taps k of the old one with j·stride + k·dilation = m·step.

    ``count`` positions j are pooled. Answers with (start, stop, step) of k.
    """
    reach = (count - 1) * stride + (taps - 1) * dilation
    apart = stride // gcd(stride, dilation)
    spans: list[tuple[int, int, int]] = []
    for at in range(0, reach + 1, step):
        met = [
            k for k in range(taps) if (at - k * dilation) % stride == 0 and 0 <= (at - k * dilation) // stride < count
        ]
        spans.append((met[0], met[-1] + 1, apart) if len(met) > 1 else (met[0], met[0] + 1, 1) if met else (0, 0, 1))
    return tuple(spans)


@rule(
    "average-pool-of-conv-transpose",
    "(avg_pool (conv x w))",
    proof="output p·S + j meets input q = (p·S + j + pad - k·d)/s; where s divides S, q - p·S/s does not depend on p: "
    "a convolution with stride S/s whose taps are means of Wₖ",
    when="transposed, w is weight-only, the pool has no padding and a stride that is a multiple of the convolution's, "
    "padding on both sides alike gives the same positions; float32 or wider",
)
def average_pool_of_conv_transpose(t: Terms, m: Match) -> Term | None:
    attrs, pool = m.conv.attr, m.avg_pool.attr
    fits = m.w.weight_only and bare(m.avg_pool) and precise(m.root) and len(pool["kernel"]) == m.x.rank - 2
    if not attrs["transposed"] or not fits:
        return None
    found = gathered(t, m.x, m.w, attrs, pool["kernel"], pool["stride"])
    return found if found is not None and found.type == m.root.type else None


def gathered(
    t: Terms, x: Term, w: Term, attrs: dict[str, Any], count: tuple[int, ...], step: tuple[int, ...]
) -> Term | None:
    """Means of ``count`` outputs of a transposed convolution, ``step`` apart, as a convolution of ``x``.

    ``None`` where that is none, or needs more padding on one side than on the other.
    """
    strides: list[int] = []
    pads: list[int] = []
    for axis in range(x.rank - 2):
        stride, dilation, padding = (attrs[key][axis] for key in ("stride", "dilation", "padding"))
        taps, n, s = w.shape[2 + axis], count[axis], step[axis]
        lowest, highest = -(-(padding - (taps - 1) * dilation) // stride), (n - 1 + padding) // stride
        if s % stride or lowest > 0:
            return None
        spans: list[tuple[int, int, int]] = []
        for offset in range(lowest, highest + 1):
            met = [k for k in range(taps) if 0 <= offset * stride + k * dilation - padding < n]
            spans.append((met[0], met[-1] + 1, 1) if met else (0, 0, 1))
        w = t.make("window_sums", w, dim=2 + axis, windows=tuple(spans))
        strides.append(s // stride)
        pads.append(-lowest)
    rank, groups = w.rank, attrs["groups"]
    into, out, *taps = w.shape
    w = t.reshape(w, (groups, into // groups, out, *taps))  # kernel [in, out/groups, …] to [out, in/groups, …]
    w = t.permute(w, (0, 2, 1, *range(3, rank + 1)))
    w = t.reshape(w, (groups * out, into // groups, *taps))
    geometry = {"stride": tuple(strides), "padding": tuple(pads), "dilation": (1,) * len(taps)}
    plain = {"transposed": False, "output_padding": (0,) * len(taps), "groups": groups}
    return conv(t, x, t.mul(w, 1.0 / prod(count)) if prod(count) > 1 else w, **geometry, **plain)


@rule(
    "conv-transpose-as-conv",
    "(conv x w)",
    proof="with stride one, output p meets inputs p + pad - k·d: a convolution with the taps in reverse",
    when="transposed, stride one, no output padding, no dilation, pad below the kernel's size, w is weight-only",
)
def conv_transpose_as_conv(t: Terms, m: Match) -> Term | None:
    attrs = m.conv.attr
    one = (1,) * (m.x.rank - 2)
    if not attrs["transposed"] or attrs["stride"] != one or attrs["dilation"] != one or not m.w.weight_only:
        return None
    found = gathered(t, m.x, m.w, attrs, one, one)
    return found if found is not None and found.type == m.root.type else None


RULES: tuple[Rule, ...] = (
    merge_average_pools,
    merge_max_pools,
    average_pool_of_scaled,
    average_pool_of_shifted,
    max_pool_of_affine,
    average_pool_as_mean,
    average_pool_before_pointwise,
    average_pool_of_conv,
    average_pool_of_conv_transpose,
    conv_transpose_as_conv,
)
