"""Cases of rules on clamps, minima and maxima."""

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.rewriter.terms import Term
from rule_cases.draws import NUMBER, POSITIVE, Draw, bounds, case, narrowed, shape, weight

EXTREME = st.sampled_from(["maximum", "minimum"])


@case("bounds-meet")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    c = draw(NUMBER)
    below, above = s.make("clamp", x, min=None, max=c), s.make("clamp", x, min=c, max=None)
    full = s.terms.full(x.type, c)
    return draw(
        st.sampled_from(
            [
                s.make("clamp", below, min=c, max=c + 1.0),
                s.make("clamp", above, min=c - 1.0, max=c),
                s.make("maximum", below, full),
                s.make("minimum", above, full),
                s.make("relu", s.make("clamp", s.make("abs", x), min=None, max=0.0)),
            ]
        )
    )


@case("extreme-as-clamp")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    number = type(x.type)(narrowed(draw, x.shape), x.type.dtype)
    pair = (x, s.terms.full(number, draw(NUMBER)))
    return s.make(draw(EXTREME), *(pair if draw(st.booleans()) else reversed(pair)))


@case("drop-extreme")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    y = s.input(*narrowed(draw, x.shape))
    larger, smaller = s.make("exp", x), s.make("clamp", y, min=None, max=draw(st.sampled_from([0.0, -0.5])))
    op = draw(EXTREME)
    if op == "minimum":
        larger, smaller = s.make("exp", y), s.make("clamp", x, min=None, max=draw(st.sampled_from([0.0, -0.5])))
    return s.make(op, *((larger, smaller) if draw(st.booleans()) else (smaller, larger)))


@case("clamp-take-scale")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make("mul", s.make("clamp", s.input(*shape(draw)), **bounds(draw)), draw(NUMBER))


@case("clamp-take-shift")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make("add", s.make("clamp", s.input(*shape(draw)), **bounds(draw)), draw(NUMBER))


@case("extreme-take-shift")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    extreme = s.make(draw(EXTREME), s.input(*full), s.weight(*narrowed(draw, full)))
    return s.make("add", extreme, weight(draw, s, full))


@case("cancel-shift")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    c = s.weight(*narrowed(draw, full)) if draw(st.booleans()) else s.input(*narrowed(draw, full))
    other = s.input(*(full if draw(st.booleans()) else narrowed(draw, full)))
    return s.make("sub", s.make("add", s.input(*full), c), s.make("add", other, c))


@case("homogeneous-take-scale")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    inner = s.make("relu", x) if draw(st.booleans()) else s.make("leaky_relu", x, slope=draw(NUMBER))
    return s.make("mul", inner, draw(POSITIVE))
