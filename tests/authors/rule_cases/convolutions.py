"""Cases of rules on convolutions."""

from typing import Any

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.rewriter.terms import Term
from rule_cases.draws import Draw, along, axes, case, shape


def geometry(draw: Draw, rank: int, *, padded: bool = True, grouped: bool = True, **fixed: Any) -> dict[str, Any]:
    transposed = draw(st.booleans())
    stride = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    return {
        "stride": stride,
        "padding": tuple(draw(st.integers(0, 2)) if padded else 0 for _ in range(rank)),
        "dilation": tuple(draw(st.integers(1, 2)) for _ in range(rank)),
        "groups": draw(st.integers(1, 2)) if grouped else 1,
        "transposed": transposed,
        "output_padding": tuple(draw(st.integers(0, n - 1)) if transposed else 0 for n in stride),
    } | fixed


def conv(draw: Draw, s: Sketch, attrs: dict[str, Any], x: Term | None = None, bias: bool = False) -> Term:
    rank = len(attrs["stride"])
    groups = attrs["groups"]
    x = x or s.input(*conv_input(draw, rank, groups))
    taps = [draw(st.integers(1, 3)) for _ in range(rank)]
    out = groups * draw(st.integers(1, 2))
    kernel = (x.shape[1], out // groups) if attrs["transposed"] else (out, x.shape[1] // groups)
    return s.make("conv", x, s.weight(*kernel, *taps), *([s.weight(out)] if bias else []), **attrs)


def conv_input(draw: Draw, rank: int, groups: int = 1) -> tuple[int, ...]:
    return (draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)), *(draw(st.integers(6, 8)) for _ in range(rank)))


RANK = st.sampled_from([1, 2, 2, 3])


@case("batch-norm-as-affine")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw, 2, 4))
    rest = [s.weight(x.shape[1]) for _ in range(3)]
    return s.make("batch_norm", x, *rest, s.weight(x.shape[1], positive=True), eps=1e-5)


@case("conv-split-bias")
def _(draw: Draw, s: Sketch) -> Term:
    return conv(draw, s, geometry(draw, draw(RANK)), bias=True)


@case("conv-join-bias")
def _(draw: Draw, s: Sketch) -> Term:
    y = conv(draw, s, geometry(draw, draw(RANK)))
    return s.make("add", y, along(draw, s, y, 1))


@case("conv-take-scale")
def _(draw: Draw, s: Sketch) -> Term:
    y = conv(draw, s, geometry(draw, draw(RANK), grouped=False))
    return s.make("mul", y, along(draw, s, y, 1))


@case("conv-take-input-scale")
def _(draw: Draw, s: Sketch) -> Term:
    attrs = geometry(draw, draw(RANK), grouped=False)
    x = s.input(*conv_input(draw, len(attrs["stride"])))
    return conv(draw, s, attrs, s.make("mul", x, along(draw, s, x, 1)))


@case("conv-take-input-shift")
def _(draw: Draw, s: Sketch) -> Term:
    rank = draw(RANK)
    attrs = geometry(draw, rank, padded=False, grouped=False, transposed=False, output_padding=(0,) * rank)
    x = s.input(*conv_input(draw, rank))
    return conv(draw, s, attrs, s.make("add", x, along(draw, s, x, 1)))


@case("add-convs")
def _(draw: Draw, s: Sketch) -> Term:
    attrs = geometry(draw, draw(RANK))
    first = conv(draw, s, attrs)
    x, w = (Term(s.terms, a) for a in first.node.args)
    return s.make("add", first, s.make("conv", x, s.weight(*w.shape), **attrs))


@case("sum-channels-of-conv")
def _(draw: Draw, s: Sketch) -> Term:
    y = conv(draw, s, geometry(draw, draw(RANK), grouped=False))
    first = draw(st.sampled_from([0, 1]))
    return s.make("sum", y, dims=tuple(sorted({first, *axes(draw, y.rank)})), keepdim=True)


@case("sum-positions-of-conv")
def _(draw: Draw, s: Sketch) -> Term:
    y = conv(draw, s, geometry(draw, draw(RANK)))
    first = draw(st.integers(2, y.rank - 1))
    return s.make("sum", y, dims=tuple(sorted({first, *axes(draw, y.rank)})), keepdim=True)
