"""Cases of elementwise rules."""

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.rewriter.terms import Term
from rule_cases.draws import CASES, NUMBER, Case, Draw, bounds, case, shape, weight


def binary_with_weights(outer: str, inner: str) -> Case:
    def made(draw: Draw, s: Sketch) -> Term:
        full = shape(draw)
        return s.make(outer, s.make(inner, s.input(*full), weight(draw, s, full)), weight(draw, s, full))

    return made


CASES["merge-scales"] = binary_with_weights("mul", "mul")
CASES["merge-shifts"] = binary_with_weights("add", "add")
CASES["scale-sum"] = binary_with_weights("mul", "add")


@case("subtract-as-add")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    x, w = s.input(*full), weight(draw, s, full)
    return s.make("sub", *((x, w) if draw(st.booleans()) else (w, x)))


@case("divide-as-scale")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    return s.make("div", s.input(*full), weight(draw, s, full))


@case("negate-as-scale")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make("neg", s.input(*shape(draw)))


@case("weights-right")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    return s.make(draw(st.sampled_from(["add", "mul"])), weight(draw, s, full), s.input(*full))


@case("cancel-quotient")
def _(draw: Draw, s: Sketch) -> Term:
    inner, outer = draw(st.sampled_from([("div", "mul"), ("mul", "div"), ("div", "div")]))
    return s.make(outer, s.make(inner, s.input(*shape(draw)), draw(NUMBER)), draw(NUMBER))


@case("drop-neutral")
def _(draw: Draw, s: Sketch) -> Term:
    op, value = draw(st.sampled_from([("mul", 1.0), ("add", 0.0)]))
    x = s.input(*shape(draw))
    return s.make(op, x, s.terms.full(x.type, value) if draw(st.booleans()) else value)


@case("cancel-difference")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    return s.make("sub", x, x)


@case("factor-sum")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    x = s.input(*full)
    scaled = s.make("mul", x, weight(draw, s, full))
    return s.make("add", *((x, scaled) if draw(st.booleans()) else (scaled, x)))


@case("factor-scales")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    x = s.input(*full)
    return s.make("add", s.make("mul", x, s.weight(*full)), s.make("mul", x, weight(draw, s, full)))


@case("factor-input")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    x, y = s.input(*full), s.input(*full)
    product = s.make("mul", *((x, y) if draw(st.booleans()) else (y, x)))
    return s.make("add", *((x, product) if draw(st.booleans()) else (product, x)))


@case("gather-shift")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    x = s.input(*full)
    shifted = s.make("add", x, weight(draw, s, full))
    return s.make("add", *((x, shifted) if draw(st.booleans()) else (shifted, x)))


@case("double")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    return s.make("add", x, x)


@case("relu-as-clamp")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make("relu", s.input(*shape(draw)))


@case("clamp-as-relu")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make("clamp", s.input(*shape(draw)), min=0.0, max=None)


@case("merge-clamps")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make("clamp", s.make("clamp", s.input(*shape(draw)), **bounds(draw)), **bounds(draw))


@case("drop-clamp")
def _(draw: Draw, s: Sketch) -> Term:
    op = draw(st.sampled_from(["tanh", "sigmoid", "relu", "abs", "softmax"]))
    x = s.input(*shape(draw))
    inner = s.make(op, x, dim=0) if op == "softmax" else s.make(op, x)
    high = None if op in ("relu", "abs") else draw(st.sampled_from([None, 1.0, 3.0]))
    return s.make("clamp", inner, min=-1.0 if op == "tanh" else 0.0, max=high)


@case("drop-absolute")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make("abs", s.make(draw(st.sampled_from(["abs", "relu", "exp", "sigmoid"])), s.input(*shape(draw))))


@case("absolute-of-scaled")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make("abs", s.make("mul", s.input(*shape(draw)), draw(NUMBER)))


@case("same-extreme")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    return s.make(draw(st.sampled_from(["maximum", "minimum"])), x, x)
