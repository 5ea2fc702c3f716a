"""Einstein sums: linear in each operand, so that weights meet before anything else does."""

from collections.abc import Sequence
from string import ascii_letters

from kernelwright.authors.graph.einsum import Equation
from kernelwright.authors.graph.ir import Slot
from kernelwright.authors.rewriter.rule import Match, Rule, precise, rule
from kernelwright.authors.rewriter.terms import Term, Terms

Operand = tuple[Term, str]
"""A factor, and the letters of its axes."""


def factors(m: Match, names: str, sum_: Term) -> list[Operand]:
    """The operands of a sum by name, in order."""
    equation = Equation.parse(sum_.attr["equation"])
    return [(m.terms[name], letters) for name, letters in zip(names, equation.operands, strict=True)]


def summed(t: Terms, operands: Sequence[Operand], result: str) -> Term:
    """The sum over all letters that the result lacks."""
    equation = Equation(tuple(letters for _, letters in operands), result)
    return t.make("einsum", *(term for term, _ in operands), equation=str(equation))


def weights_first(t: Terms, operands: Sequence[Operand], result: str) -> Term | None:
    """The weights' own sum, then one with what is left; ``None`` where that is the same, or nothing is left."""
    weights = [(term, letters) for term, letters in operands if term.weight_only]
    others = [(term, letters) for term, letters in operands if not term.weight_only]
    if len(weights) < 2 or not others:
        return None
    needed = set(result).union(*(letters for _, letters in others))
    kept = "".join(a for a in dict.fromkeys("".join(letters for _, letters in weights)) if a in needed)
    return summed(t, [(summed(t, weights, kept), kept), *others], result)


@rule(
    "einsum-join-weights",
    "(einsum a b c)",
    "(einsum a b c d)",
    proof="Σ W·V·x = Σ (Σ W·V)·x, the inner sum over what only the weights share",
    when="two operands or more are weight-only, another is not; float32 or wider",
)
def join_weights(t: Terms, m: Match) -> Term | None:
    names = "abcd" if "d" in m.terms else "abc"
    equation = Equation.parse(m.einsum.attr["equation"])
    return weights_first(t, factors(m, names, m.einsum), equation.result) if precise(m.root) else None


@rule(
    "einsum-of-einsum",
    "(einsum@outer a (einsum@inner b c))",
    "(einsum@outer (einsum@first b c) a)",
    proof="Σ W·(Σ V·x) = Σ (Σ W·V)·x: sums of products are one sum",
    when="a and one of b and c are weight-only; float32 or wider",
)
def einsum_of_einsum(t: Terms, m: Match) -> Term | None:
    if not m.a.weight_only or m.b.weight_only == m.c.weight_only or not precise(m.root):
        return None
    first = "first" in m.terms
    outer = Equation.parse(m.outer.attr["equation"])
    inner = Equation.parse((m.first if first else m.inner).attr["equation"])
    of_inner, a = outer.operands if first else reversed(outer.operands)
    free = (letter for letter in ascii_letters if letter not in str(outer) + str(inner))
    renamed = dict(zip(inner.result, of_inner, strict=True))
    for letter in dict.fromkeys("".join(inner.operands)):
        renamed.setdefault(letter, letter if letter not in str(outer) else next(free))
    inside = ["".join(renamed[letter] for letter in letters) for letters in inner.operands]
    return weights_first(t, [(m.a, a), (m.b, inside[0]), (m.c, inside[1])], outer.result)


@rule(
    "einsum-of-zeros",
    "(einsum a (opaque@joined x y))",
    "(einsum (opaque@first x y) a)",
    proof="Σₖ aₖ·(0, y)ₖ = Σₖ a'ₖ·yₖ with the part a' of a that meets y: zeros add nothing",
    when="x or y is zero, joined to the other along an axis that is summed and that a has",
)
def einsum_of_zeros(t: Terms, m: Match) -> Term | None:
    joined = m.first if "first" in m.terms else m.joined
    attrs = joined.attr
    if attrs["target"] != "aten.cat.default" or attrs["kwargs"] or attrs["args"][0] != (Slot(0), Slot(1)):
        return None
    equation = Equation.parse(m.einsum.attr["equation"])
    of_joined, of_a = equation.operands if "first" in m.terms else reversed(equation.operands)
    dim = (attrs["args"][1] if len(attrs["args"]) > 1 else 0) % joined.rank
    letter = of_joined[dim]
    if letter in equation.result or letter not in of_a or 0.0 not in (m.x.value, m.y.value):
        return None
    start, kept = (m.x.shape[dim], m.y) if m.x.value == 0.0 else (0, m.x)
    met = t.make("narrow", m.a, dim=of_a.index(letter), start=start, length=kept.shape[dim])
    return summed(t, [(met, of_a), (kept, of_joined)], equation.result)


@rule(
    "like-as-full",
    "(opaque x)",
    proof="zeros in the shape of x depend on no element of x",
    when="the call is zeros_like or ones_like, for a floating dtype",
)
def like_as_full(t: Terms, m: Match) -> Term | None:
    value = {"aten.zeros_like.default": 0.0, "aten.ones_like.default": 1.0}.get(m.opaque.attr["target"])
    return t.full(m.root.type, value) if value is not None and m.root.type.floating else None


RULES: tuple[Rule, ...] = (join_weights, einsum_of_einsum, einsum_of_zeros, like_as_full)
