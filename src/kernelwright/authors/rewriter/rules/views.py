"""Views: chains of reshapes and permutations, and scales that pass through them."""

from kernelwright.authors.rewriter.rule import Match, Rule, axis_groups, padded, rule
from kernelwright.authors.rewriter.terms import Term, Terms


@rule("merge-reshapes", "(reshape@outer (reshape@inner x))", proof="only the last shape counts", on_weights=True)
def merge_reshapes(t: Terms, m: Match) -> Term | None:
    return t.reshape(m.x, m.outer.shape)


@rule("drop-reshape", "(reshape x)", proof="the shape is the same", when="the shape is the same", on_weights=True)
def drop_reshape(t: Terms, m: Match) -> Term | None:
    return m.x if m.x.shape == m.reshape.shape else None


@rule(
    "merge-permutes",
    "(permute@outer (permute@inner x))",
    proof="one permutation after another is one permutation",
    on_weights=True,
)
def merge_permutes(t: Terms, m: Match) -> Term | None:
    inner = m.inner.attr["dims"]
    return t.permute(m.x, [inner[d] for d in m.outer.attr["dims"]])


@rule(
    "number-through-view",
    "(mul@op (reshape@view x) c)",
    "(add@op (reshape@view x) c)",
    "(mul@op (permute@view x) c)",
    "(add@op (permute@view x) c)",
    proof="an elementwise operation with a number does not see the shape",
    when="c is a number",
)
def number_through_view(t: Terms, m: Match) -> Term | None:
    return t.make(m.view.op, t.make(m.op.op, m.x, m.c), **m.view.attr) if m.c.op == "const" else None


@rule(
    "weights-through-view",
    "(mul@op (reshape@view x) c)",
    "(add@op (reshape@view x) c)",
    "(mul@op (permute@view x) c)",
    "(add@op (permute@view x) c)",
    proof="an elementwise operation on a view is one on what it shows, the other side arranged alike",
    when="c is weight-only and does not widen the view; a reshape only adds or drops axes of size one",
)
def weights_through_view(t: Terms, m: Match) -> Term | None:
    if not m.c.weight_only or m.c.op == "const" or m.view.type != m.op.type:
        return None
    shape = padded(m.c.shape, m.view.rank)
    if m.view.op == "permute":
        order = m.view.attr["dims"]
        arranged = t.permute(t.reshape(m.c, shape), [order.index(d) for d in range(len(order))])
    else:
        sizes = [n for n, whole in zip(shape, m.view.shape, strict=True) if whole != 1]
        if [n for n in m.x.shape if n != 1] != [n for n in m.view.shape if n != 1]:
            return None
        arranged = t.reshape(m.c, [1 if n == 1 else sizes.pop(0) for n in m.x.shape])
    return t.make(m.view.op, t.make(m.op.op, m.x, arranged), **m.view.attr)


@rule(
    "weights-through-reshape",
    "(add@op (reshape x) c)",
    "(mul@op (reshape x) c)",
    proof="an elementwise operation in one layout is one in the other, its weights spread and laid out alike",
    when="c is weight-only, does not widen the view, and varies along axes that the reshape splits or joins",
)
def weights_through_reshape(t: Terms, m: Match) -> Term | None:
    after = m.reshape.shape
    if not m.c.weight_only or m.c.op == "const" or m.reshape.type != m.op.type or 0 in after:
        return None
    shape = padded(m.c.shape, len(after))
    spread, laid_out, mixed = list(shape), list(m.x.shape), False
    for old, new in axis_groups(m.x.shape, after):
        if all(shape[d] == 1 for d in new):
            for d in old:
                laid_out[d] = 1
            continue
        mixed |= sum(after[d] != 1 for d in new) > 1 or sum(m.x.shape[d] != 1 for d in old) > 1
        for d in new:
            spread[d] = after[d]
    if not mixed:
        return None  # what weights-through-view does
    c = t.reshape(m.c, shape)
    c = c if c.shape == tuple(spread) else t.make("expand", c, shape=tuple(spread))
    return t.reshape(t.make(m.op.op, m.x, t.reshape(c, laid_out)), after)


RULES: tuple[Rule, ...] = (
    merge_reshapes,
    drop_reshape,
    merge_permutes,
    number_through_view,
    weights_through_view,
    weights_through_reshape,
)
