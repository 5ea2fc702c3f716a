"""Attention written out in steps, as the one call that does not write the scores down."""

from math import inf

from kernelwright.authors.rewriter.rule import Match, Rule, rule
from kernelwright.authors.rewriter.terms import Term, Terms

SCORES = "(matmul@scores q (permute k))"


@rule(
    "as-attention",
    f"(matmul@mixed (softmax (masked_fill (mul {SCORES} s) m)) v)",
    f"(matmul@mixed (softmax (masked_fill {SCORES} m)) v)",
    f"(matmul@mixed (softmax (mul {SCORES} s)) v)",
    f"(matmul@mixed (softmax {SCORES}) v)",
    f"(matmul@mixed (softmax (add (mul {SCORES} s) b)) v)",
    f"(matmul@mixed (softmax (add {SCORES} b)) v)",
    proof="softmax(q·kᵀ·s + b, without what the mask hides)·v is scaled dot-product attention, by definition",
    when="s is a number, b does not widen the scores, hidden ones are -∞, softmax runs along the last axis, batch axes "
    "are equal; a row that is hidden as a whole may change from NaN to zero",
)
def as_attention(t: Terms, m: Match) -> Term | None:
    rank = m.scores.rank
    turned = (*range(rank - 2), rank - 1, rank - 2)
    batch = m.q.shape[:-2]
    scale = m.terms["s"].value if "s" in m.terms else 1.0
    number = "s" not in m.terms or m.s.op == "const"
    fits = rank >= 3 and number and scale is not None and m.permute.attr["dims"] == turned
    if not fits or m.softmax.attr["dim"] != rank - 1 or not batch == m.k.shape[:-2] == m.v.shape[:-2]:
        return None
    if "b" in m.terms:
        added = m.b.op != "const" and m.softmax.shape == m.scores.shape
        return t.make("attention", m.q, m.k, m.v, m.b, scale=float(scale or 0.0)) if added else None
    if "m" not in m.terms:
        return t.make("attention", m.q, m.k, m.v, scale=float(scale or 0.0))
    if m.masked_fill.attr["value"] != -inf or m.softmax.shape != m.scores.shape:
        return None
    return t.make("attention", m.q, m.k, m.v, t.make("logical_not", m.m), scale=float(scale or 0.0))


RULES: tuple[Rule, ...] = (as_attention,)
