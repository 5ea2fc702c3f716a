"""Views: chains of reshapes and permutations, and scales that pass through them."""

from kernelwright.authors.rewriter.rule import Match, Rule, rule
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


RULES: tuple[Rule, ...] = (merge_reshapes, drop_reshape, merge_permutes, number_through_view)
