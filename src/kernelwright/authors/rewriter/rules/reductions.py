"""Reductions: one form for all of them, axes of size one, and what a reduction commutes with."""

from math import prod

from kernelwright.authors.rewriter.rule import Match, Rule, axis_groups, padded, precise, rule
from kernelwright.authors.rewriter.terms import Term, Terms

EVERY = tuple(f"({op}@reduced x)" for op in ("sum", "mean", "amax", "amin", "logsumexp"))
MONOTONE = ("relu", "clamp", "sigmoid", "tanh", "exp", "softplus", "hardsigmoid", "leaky_relu")


@rule("keep-axes", *EVERY, proof="a reduction that drops axes is one that keeps them at size one, reshaped")
def keep_axes(t: Terms, m: Match) -> Term | None:
    if m.reduced.attr["keepdim"]:
        return None
    return t.reshape(t.reduce(m.reduced.op, m.x, m.reduced.attr["dims"]), m.root.shape)


@rule("mean-as-sum", "(mean x)", proof="a mean over n elements is their sum times 1/n", when="float32 or wider")
def mean_as_sum(t: Terms, m: Match) -> Term | None:
    dims = m.mean.attr["dims"]
    count = prod(m.x.shape[d] for d in dims)
    fits = precise(m.root) and m.mean.attr["keepdim"] and count
    return t.mul(t.sum(m.x, dims), 1.0 / count) if fits else None


@rule("sum-as-mean", "(mul (sum x) c)", proof="the sum of n elements times 1/n is their mean", when="c is 1/n")
def sum_as_mean(t: Terms, m: Match) -> Term | None:
    dims = m.sum.attr["dims"]
    count = prod(m.x.shape[d] for d in dims)
    fits = m.sum.attr["keepdim"] and count and m.c.op == "const" and m.c.value == 1.0 / count
    return t.reduce("mean", m.x, dims) if fits else None


@rule(
    "drop-unit-axes",
    *EVERY,
    proof="sum, mean, max, min and log-sum-exp of one element are that element",
    when="an axis has size one",
    on_weights=True,
)
def drop_unit_axes(t: Terms, m: Match) -> Term | None:
    dims = m.reduced.attr["dims"]
    left = [d for d in dims if m.x.shape[d] != 1]
    if not m.reduced.attr["keepdim"] or len(left) == len(dims):
        return None
    return t.reduce(m.reduced.op, m.x, left)


@rule(
    "softmax-of-one",
    "(softmax@op x)",
    "(log_softmax@op x)",
    proof="exp(x)/exp(x) = 1, and its logarithm is 0",
    when="the axis has size one",
)
def softmax_of_one(t: Terms, m: Match) -> Term | None:
    if m.x.shape[m.op.attr["dim"]] != 1:
        return None
    return t.full(m.root.type, 1.0 if m.op.op == "softmax" else 0.0)


@rule(
    "sum-of-softmax",
    "(sum (softmax x))",
    proof="a softmax adds up to 1",
    when="summed along its own axis alone; float32 or wider",
)
def sum_of_softmax(t: Terms, m: Match) -> Term | None:
    own = m.sum.attr["dims"] == (m.softmax.attr["dim"],) and m.sum.attr["keepdim"]
    return t.full(m.root.type, 1.0) if own and precise(m.root) else None


@rule(
    "merge-reductions",
    *(f"({op}@outer ({op}@inner x))" for op in ("sum", "mean", "amax", "amin", "logsumexp")),
    proof="a reduction of a reduction is one over both sets of axes",
    when="float32 or wider",
)
def merge_reductions(t: Terms, m: Match) -> Term | None:
    if not (m.outer.attr["keepdim"] and m.inner.attr["keepdim"]) or not precise(m.root):
        return None
    inner = set(m.inner.attr["dims"])
    return t.reduce(m.outer.op, m.x, sorted(inner | set(m.outer.attr["dims"])))


@rule(
    "sum-of-scaled",
    "(sum (mul x c))",
    "(sum (mul c x))",
    proof="Σ x·c = (Σ x)·c",
    when="c does not vary along summed axes (along the others the sum comes last), x is not widened; float32 or wider",
)
def sum_of_scaled(t: Terms, m: Match) -> Term | None:
    dims = m.sum.attr["dims"]
    fits = m.sum.attr["keepdim"] and m.x.type == m.mul.type and precise(m.root)
    if not fits:
        return None
    shape = padded(m.c.shape, m.x.rank)
    alike = [d for d in dims if shape[d] == 1]
    if not alike or (len(alike) < len(dims) and all(m.x.shape[d] == 1 for d in alike)):
        return None
    return t.sum(t.mul(t.sum(m.x, alike), m.c), [d for d in dims if shape[d] != 1])


@rule(
    "sum-of-shifted",
    "(sum (add x c))",
    proof="Σ (x + c) = Σ x + Σ c",
    when="c is weight-only and does not widen x; float32 or wider",
)
def sum_of_shifted(t: Terms, m: Match) -> Term | None:
    dims = m.sum.attr["dims"]
    fits = m.sum.attr["keepdim"] and m.c.weight_only and m.x.type == m.add.type and precise(m.root)
    if not fits:
        return None
    shape = padded(m.c.shape, m.x.rank)
    repeats = prod(m.x.shape[d] for d in dims if shape[d] == 1)
    if m.c.op == "const":
        return t.add(t.sum(m.x, dims), m.c.attr["value"] * repeats)
    shift = t.sum(t.reshape(m.c, shape), [d for d in dims if shape[d] != 1])
    return t.add(t.sum(m.x, dims), t.mul(shift, float(repeats)))


@rule(
    "sum-of-two",
    "(sum (add@op x y))",
    "(sum (sub@op x y))",
    proof="Σ (x ± y) = Σ x ± Σ y",
    when="x and y have one shape; float32 or wider",
)
def sum_of_two(t: Terms, m: Match) -> Term | None:
    if not m.sum.attr["keepdim"] or m.x.type != m.y.type or not precise(m.root):
        return None
    dims = m.sum.attr["dims"]
    return t.make(m.op.op, t.sum(m.x, dims), t.sum(m.y, dims))


@rule(
    "reduce-permuted",
    *(f"({op}@reduced (permute x))" for op in ("sum", "mean", "amax", "amin", "logsumexp")),
    proof="reducing moved axes is moving what is left after reducing them where they were",
)
def reduce_permuted(t: Terms, m: Match) -> Term | None:
    order = m.permute.attr["dims"]
    if not m.reduced.attr["keepdim"]:
        return None
    return t.permute(t.reduce(m.reduced.op, m.x, [order[d] for d in m.reduced.attr["dims"]]), order)


@rule(
    "reduce-reshaped",
    *(f"({op}@reduced (reshape x))" for op in ("sum", "mean", "amax", "amin", "logsumexp")),
    proof="axes that were only split, joined or padded with ones hold the same elements",
    when="the reduced axes are whole groups of the original's axes",
    on_weights=True,
)
def reduce_reshaped(t: Terms, m: Match) -> Term | None:
    if not m.reduced.attr["keepdim"]:
        return None
    dims = set(m.reduced.attr["dims"])
    original: list[int] = []
    for before, after in axis_groups(m.x.shape, m.reshape.shape):
        hit = [d for d in after if d in dims and m.reshape.shape[d] != 1]
        if hit and len(hit) < sum(m.reshape.shape[d] != 1 for d in after):
            return None
        original += before if hit else []
    return t.reshape(t.reduce(m.reduced.op, m.x, original), m.root.shape) if original else None


@rule(
    "sum-of-reshaped-shift",
    "(sum (reshape (add@inner x c)))",
    "(sum (reshape (mul@inner x c)))",
    proof="an elementwise operation, laid out in another shape, is one on its sides laid out alike",
    when="c is weight-only and, along the axes that the reshape splits or joins, as large as x or of size one",
)
def sum_of_reshaped_shift(t: Terms, m: Match) -> Term | None:
    if not m.c.weight_only or m.x.type != m.inner.type:
        return None
    after = m.reshape.shape
    x = t.reshape(m.x, after)
    if m.c.op != "const":
        shape = padded(m.c.shape, m.x.rank)
        laid_out = [1] * len(after)
        for old, new in axis_groups(m.x.shape, after):
            if all(shape[d] == m.x.shape[d] for d in old):
                for d in new:
                    laid_out[d] = after[d]
            elif any(shape[d] != 1 for d in old):
                return None
        return t.make("sum", t.make(m.inner.op, x, t.reshape(m.c, laid_out)), **m.sum.attr)
    return t.make("sum", t.make(m.inner.op, x, m.c), **m.sum.attr)


@rule(
    "reduce-before-monotone",
    *(f"({extreme}@reduced ({op}@inner x))" for extreme in ("amax", "amin") for op in MONOTONE),
    proof="the largest of f(x) is f of the largest x, for f that never falls",
    when="a leaky relu's slope is not negative",
)
def reduce_before_monotone(t: Terms, m: Match) -> Term | None:
    if not m.reduced.attr["keepdim"] or m.inner.attr.get("slope", 0) < 0:
        return None
    return t.make(m.inner.op, t.reduce(m.reduced.op, m.x, m.reduced.attr["dims"]), **m.inner.attr)


@rule(
    "pool-before-monotone",
    *(f"(max_pool ({op}@inner x))" for op in MONOTONE),
    proof="the largest of f(x) in a window is f of the largest x there, for f that never falls",
    when="a leaky relu's slope is not negative",
)
def pool_before_monotone(t: Terms, m: Match) -> Term | None:
    if m.inner.attr.get("slope", 0) < 0:
        return None
    return t.make(m.inner.op, t.make("max_pool", m.x, **m.max_pool.attr), **m.inner.attr)


@rule(
    "reduce-before-affine",
    "(amax@reduced (mul@inner x c))",
    "(amin@reduced (mul@inner x c))",
    "(amax@reduced (add@inner x c))",
    "(amin@reduced (add@inner x c))",
    proof="a shift moves every element alike, and a positive scale keeps their order",
    when="c does not vary along the reduced axes; a scale is a positive number",
)
def reduce_before_affine(t: Terms, m: Match) -> Term | None:
    dims = m.reduced.attr["dims"]
    fits = m.reduced.attr["keepdim"] and m.x.type == m.inner.type
    if not fits or any(padded(m.c.shape, m.x.rank)[d] != 1 for d in dims):
        return None
    if m.inner.op == "mul" and not (m.c.op == "const" and m.c.attr["value"] > 0):
        return None
    return t.make(m.inner.op, t.reduce(m.reduced.op, m.x, dims), m.c)


RULES: tuple[Rule, ...] = (
    keep_axes,
    mean_as_sum,
    sum_as_mean,
    drop_unit_axes,
    softmax_of_one,
    sum_of_softmax,
    merge_reductions,
    sum_of_scaled,
    sum_of_shifted,
    sum_of_two,
    reduce_permuted,
    reduce_reshaped,
    sum_of_reshaped_shift,
    reduce_before_monotone,
    pool_before_monotone,
    reduce_before_affine,
)
