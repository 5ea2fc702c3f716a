"""Layer, group and instance normalisation: what their statistics make of shifts and means, their scale and shift."""

from math import prod

from kernelwright.authors.graph.ops import NORMS, normalised_axes
from kernelwright.authors.rewriter.rule import Match, Rule, padded, precise, rule
from kernelwright.authors.rewriter.terms import Term, Terms


def channel_axes(norm: Term) -> tuple[int, ...]:
    """The axes along which the scale and the shift of a normalisation vary."""
    return normalised_axes(norm.op, norm.attr, norm.shape) if norm.op == "layer_norm" else (1,)


def whole_axes(norm: Term) -> tuple[int, ...]:
    """Axes that share one mean: along all of them the normalised values add up to zero."""
    axes = normalised_axes(norm.op, norm.attr, norm.shape)
    return axes[1:] if norm.op == "group_norm" and norm.attr["groups"] == norm.shape[1] else axes


def affine(t: Terms, c: Term, norm: Term) -> Term | None:
    """``c`` as a scale or shift of ``norm``; ``None`` where it varies along other axes, or depends on an input."""
    axes = channel_axes(norm)
    full = tuple(norm.shape[d] for d in axes)
    if not c.weight_only or c.rank > norm.rank:
        return None
    if c.op == "const":
        return t.full(type(norm.type)(full, norm.type.dtype), c.attr["value"])
    shape = padded(c.shape, norm.rank)
    if any(n != 1 for d, n in enumerate(shape) if d not in axes):
        return None
    c = t.reshape(c, [shape[d] for d in axes])
    return c if c.shape == full else t.make("expand", c, shape=full)


@rule(
    "norm-split-affine",
    *(f"({op}@norm x w b)" for op in NORMS),
    proof="a normalisation with scale and shift is one without, times w, plus b",
)
def split_affine(t: Terms, m: Match) -> Term | None:
    shape = [n if d in channel_axes(m.norm) else 1 for d, n in enumerate(m.norm.shape)]
    bare = t.make(m.norm.op, m.x, **m.norm.attr)
    return t.add(t.mul(bare, t.reshape(m.w, shape)), t.reshape(m.b, shape))


@rule(
    "norm-join-affine",
    *(f"(add@shifted (mul ({op}@norm x) w) b)" for op in NORMS),
    *(f"(mul@scaled ({op}@norm x) w)" for op in NORMS),
    *(f"(add@shifted ({op}@norm x) b)" for op in NORMS),
    proof="a normalisation times w, plus b, is one with scale w and shift b",
    when="w and b are weight-only and vary along the axes of its parameters alone",
)
def join_affine(t: Terms, m: Match) -> Term | None:
    if m.root.type != m.norm.type:
        return None
    w = affine(t, m.terms.get("w") or t.const(1.0), m.norm)
    b = affine(t, m.terms.get("b") or t.const(0.0), m.norm)
    return None if w is None or b is None else t.make(m.norm.op, m.x, w, b, **m.norm.attr)


@rule(
    "norm-drop-shift",
    *(f"({op}@norm (add x c))" for op in NORMS),
    proof="(x + c) minus its mean is x minus its mean, and a shift leaves the variance as it is",
    when="c does not vary along the axes that share a mean, and does not widen x; float32 or wider",
)
def drop_shift(t: Terms, m: Match) -> Term | None:
    shape = padded(m.c.shape, m.x.rank)
    fits = m.x.type == m.norm.type and precise(m.root)
    if not fits or any(shape[d] != 1 for d in whole_axes(m.norm)):
        return None
    return t.make(m.norm.op, m.x, **m.norm.attr)


@rule(
    "sum-of-norm",
    *(f"(sum ({op}@norm x))" for op in NORMS),
    proof="Σ (x - μ)/σ = 0 over the elements that share μ and σ",
    when="all axes that share a mean are summed; float32 or wider",
)
def sum_of_norm(t: Terms, m: Match) -> Term | None:
    whole = set(whole_axes(m.norm)) <= set(m.sum.attr["dims"])
    return t.full(m.root.type, 0.0) if whole and precise(m.root) else None


@rule(
    "sum-positions-of-group-norm",
    "(sum (group_norm@norm x))",
    proof="Σₚ (x - μ)/σ = (Σₚ x - n·μ)/σ with μ the mean of the channels' own means, so nothing normalised is written",
    when="all positions are summed, a group has several channels; float32 or wider",
)
def sum_positions_of_group_norm(t: Terms, m: Match) -> Term | None:
    batch, channels, *space = m.x.shape
    groups, dims = m.norm.attr["groups"], m.sum.attr["dims"]
    spatial = tuple(range(2, m.x.rank))
    fits = precise(m.root) and m.sum.attr["keepdim"] and groups < channels and set(spatial) <= set(dims) and spatial
    if not fits:
        return None
    count = prod(space)
    own = t.mul(t.sum(m.x, spatial), 1.0 / count)
    own = t.reshape(own, (batch, groups, channels // groups))
    grouped = t.reshape(m.x, (batch, groups, channels // groups * count))
    deviation = t.add(t.make("var", grouped, dims=(2,), keepdim=True), m.norm.attr["eps"])
    centred = t.make("sub", own, t.reduce("mean", own, (2,)))
    sums = t.mul(t.mul(centred, t.make("rsqrt", deviation)), float(count))
    return t.sum(t.reshape(sums, (batch, channels, *(1,) * len(space))), [d for d in dims if d < 2])


RULES: tuple[Rule, ...] = (split_affine, join_affine, drop_shift, sum_of_norm, sum_positions_of_group_norm)
