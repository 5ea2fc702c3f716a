"""Cases of rules on reshapes, permutations and broadcasts."""

from math import prod

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.rewriter.terms import Term
from rule_cases.draws import NUMBER, WIDE, Draw, case, narrowed, shape


@case("merge-reshapes")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw, 2)
    flat = s.make("reshape", s.input(*full), shape=(prod(full),))
    return s.make("reshape", flat, shape=(full[0], 1, prod(full[1:])))


@case("drop-reshape")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    return s.make("reshape", s.input(*full), shape=full)


@case("merge-permutes")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw, 2)
    orders = [tuple(draw(st.permutations(range(len(full))))) for _ in range(2)]
    return s.make("permute", s.make("permute", s.input(*full), dims=orders[0]), dims=orders[1])


def view(draw: Draw, x: Term, s: Sketch) -> Term:
    if draw(st.booleans()):
        return s.make("permute", x, dims=tuple(draw(st.permutations(range(x.rank)))))
    kept = [n for n in x.shape if n != 1 or draw(st.booleans())]
    kept.insert(draw(st.integers(0, len(kept))), 1)
    return s.make("reshape", x, shape=tuple(kept))


@case("number-through-view")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make(draw(st.sampled_from(["add", "mul"])), view(draw, s.input(*shape(draw)), s), draw(NUMBER))


@case("weights-through-view")
def _(draw: Draw, s: Sketch) -> Term:
    shown = view(draw, s.input(*shape(draw)), s)
    return s.make(draw(st.sampled_from(["add", "mul"])), shown, s.weight(*narrowed(draw, shown.shape)))


@case("weights-through-reshape")
def _(draw: Draw, s: Sketch) -> Term:
    a, b, c, d = (draw(WIDE) for _ in range(4))
    split = s.make("reshape", s.input(a * b, c, d), shape=(a, b, c, d))
    joined = s.make("reshape", s.input(a, b, c, d), shape=(a, b * c, d))
    shown, varied = draw(st.sampled_from([(split, 1), (joined, 1)]))
    sizes = [n if k == varied or draw(st.booleans()) else 1 for k, n in enumerate(shown.shape)]
    return s.make(draw(st.sampled_from(["add", "mul"])), shown, s.weight(*sizes))
