"""Cases of rules on activations that are written out."""

from math import pi, sqrt

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.rewriter.terms import Term
from rule_cases.draws import SIZE, Draw, case, shape


def product(draw: Draw, s: Sketch, a: Term, b: Term) -> Term:
    return s.make("mul", *((a, b) if draw(st.booleans()) else (b, a)))


@case("as-silu")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    return product(draw, s, x, s.make("sigmoid", x))


@case("as-mish")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    return product(draw, s, x, s.make("tanh", s.make("softplus", x)))


@case("as-hardsigmoid")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.make("mul", s.input(*shape(draw)), 3.0)
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return s.make("clamp", s.make("mul", s.make("add", x, 3), 1 / 6), min=0.0, max=1.0)
    if kind == 1:
        return s.make("clamp", s.make("add", s.make("mul", x, 1 / 6), 0.5), min=0.0, max=1.0)
    return s.make("mul", s.make("clamp", s.make("add", x, 3.0), min=0.0, max=6.0), 1 / 6)


@case("as-hardswish")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.make("mul", s.input(*shape(draw)), 3.0)
    if draw(st.booleans()):
        return product(draw, s, x, s.make("hardsigmoid", x))
    return s.make("mul", s.make("mul", x, s.make("clamp", s.make("add", x, 3.0), min=0.0, max=6.0)), 1 / 6)


def halved(draw: Draw, s: Sketch, x: Term, share: Term) -> Term:
    """x/2·(1 + share), in any order."""
    raised = s.make("add", share, 1.0)
    if draw(st.booleans()):
        return product(draw, s, s.make("mul", x, 0.5), raised)
    return s.make("mul", product(draw, s, x, raised), 0.5)


@case("as-gelu-tanh")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    cubic = s.make("mul", s.make("power", x, exponent=3), 0.044715)
    return halved(draw, s, x, s.make("tanh", s.make("mul", s.make("add", x, cubic), sqrt(2 / pi))))


@case("as-gelu")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    return halved(draw, s, x, s.make("erf", s.make("mul", x, 1 / sqrt(2))))


@case("as-log-softmax")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    return s.make("log", s.make("softmax", x, dim=draw(st.integers(0, x.rank - 1))))


@case("drop-leaky-relu")
def _(draw: Draw, s: Sketch) -> Term:
    kept = s.make(draw(st.sampled_from(["relu", "abs", "sigmoid", "softplus"])), s.input(*shape(draw)))
    return s.make("leaky_relu", kept, slope=0.1) if draw(st.booleans()) else s.make("relu", kept)


@case("merge-leaky-relus")
def _(draw: Draw, s: Sketch) -> Term:
    slopes = [draw(st.sampled_from([0.0, 0.01, 0.5, 2.0])) for _ in range(2)]
    return s.make("leaky_relu", s.make("leaky_relu", s.input(*shape(draw)), slope=slopes[0]), slope=slopes[1])


@case("softmax-drop-shift")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw, 2), draw(SIZE))
    dim = draw(st.integers(0, x.rank - 1))
    across = tuple(1 if d == dim else n for d, n in enumerate(x.shape))[draw(st.integers(0, dim)) :]
    shift = s.input(*across) if draw(st.booleans()) else s.weight(*across)
    return s.make(draw(st.sampled_from(["softmax", "log_softmax"])), s.make("add", x, shift), dim=dim)
