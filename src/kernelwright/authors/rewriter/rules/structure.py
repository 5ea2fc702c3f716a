"""Diagonal and triangular matrices: products without the work on zeros."""

from kernelwright.authors.rewriter.rule import Match, Rule, rule
from kernelwright.authors.rewriter.terms import Term, Terms

SMALLEST = 256
"""Rows below which a product is not cut into blocks: the calls would cost more than the zeros."""


@rule(
    "diagonal-left",
    "(matmul (diag d) x)",
    proof="Σₖ (diag d)ᵢₖ·xₖⱼ = dᵢ·xᵢⱼ",
)
def diagonal_left(t: Terms, m: Match) -> Term | None:
    return t.mul(m.x, t.reshape(m.d, (*m.d.shape, 1)))


@rule(
    "diagonal-right",
    "(matmul x (diag d))",
    "(linear x (diag d))",
    proof="Σₖ xᵢₖ·(diag d)ₖⱼ = xᵢⱼ·dⱼ",
)
def diagonal_right(t: Terms, m: Match) -> Term | None:
    return t.mul(m.x, m.d)


@rule(
    "drop-triangle",
    "(tril@mask x)",
    "(triu@mask x)",
    proof="what the mask clears is zero already: products of triangular matrices are triangular",
    when="the structure of x is known",
)
def drop_triangle(t: Terms, m: Match) -> Term | None:
    k = m.mask.attr["diagonal"]
    known = m.x.facts.lower if m.mask.op == "tril" else m.x.facts.upper
    if known is None:
        return None
    return m.x if (known <= k if m.mask.op == "tril" else known >= k) else None


@rule(
    "merge-triangles",
    "(tril@outer (tril@inner x))",
    "(triu@outer (triu@inner x))",
    proof="two masks of one kind are the stricter one",
)
def merge_triangles(t: Terms, m: Match) -> Term | None:
    pick = min if m.outer.op == "tril" else max
    return t.make(m.outer.op, m.x, diagonal=pick(m.outer.attr["diagonal"], m.inner.attr["diagonal"]))


@rule(
    "skip-zero-blocks",
    "(matmul a b)",
    proof="blocks beyond the diagonal of a triangular factor, or of a triangular product, contribute zeros",
    when="a is a square triangular matrix with many rows",
)
def skip_zero_blocks(t: Terms, m: Match) -> Term | None:
    if m.a.rank != 2 or m.b.rank != 2 or m.a.shape[0] != m.a.shape[1] or m.a.shape[0] < SMALLEST:
        return None
    lower, upper = m.a.facts.lower, m.a.facts.upper
    if lower is not None and lower <= 0:
        known = m.root.facts.lower
        result = known is not None and known <= 0
    elif upper is not None and upper >= 0:
        known = m.root.facts.upper
        result = known is not None and known >= 0
    else:
        return None
    attrs = {"upper": not (lower is not None and lower <= 0), "left": True, "result": result, "mask": False}
    return t.make("triangular_product", m.a, m.b, step=-(-m.a.shape[0] // 8), **attrs)


@rule(
    "skip-masked-blocks",
    "(tril@mask (matmul a b))",
    "(triu@mask (matmul a b))",
    proof="what the mask clears need not be computed",
    when="the mask runs along the main diagonal of a matrix product with many rows",
)
def skip_masked_blocks(t: Terms, m: Match) -> Term | None:
    if m.root.rank != 2 or m.root.shape[0] < SMALLEST or m.mask.attr["diagonal"] != 0:
        return None
    upper = m.mask.op == "triu"
    bound = m.a.facts.upper if upper else m.a.facts.lower
    left = bound is not None and m.a.shape[0] == m.a.shape[1] and (bound >= 0 if upper else bound <= 0)
    step = -(-m.a.shape[0] // 8)
    return t.make("triangular_product", m.a, m.b, step=step, upper=upper, left=left, result=True, mask=True)


RULES: tuple[Rule, ...] = (
    diagonal_left,
    diagonal_right,
    drop_triangle,
    merge_triangles,
    skip_zero_blocks,
    skip_masked_blocks,
)
