"""Cases of rules on reductions and softmax."""

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.rewriter.rules.reductions import MONOTONE
from kernelwright.authors.rewriter.terms import Term
from rule_cases.draws import POSITIVE, REDUCTIONS, WIDE, Draw, axes, bounds, case, shape, weight


def reduced(draw: Draw, s: Sketch, x: Term, op: str | None = None, keepdim: bool = True) -> Term:
    return s.make(op or draw(st.sampled_from(REDUCTIONS)), x, dims=axes(draw, x.rank), keepdim=keepdim)


@case("keep-axes")
def _(draw: Draw, s: Sketch) -> Term:
    return reduced(draw, s, s.input(*shape(draw)), keepdim=False)


@case("mean-as-sum")
def _(draw: Draw, s: Sketch) -> Term:
    return reduced(draw, s, s.input(*shape(draw)), "mean")


@case("sum-as-mean")
def _(draw: Draw, s: Sketch) -> Term:
    total = reduced(draw, s, s.input(*shape(draw)), "sum")
    source = s.terms.nodes[total.node.args[0]].type
    return s.make("mul", total, total.type.elements / source.elements)  # type: ignore[union-attr]


@case("drop-unit-axes")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw, 0, 2), 1, *shape(draw, 0, 1))
    return s.make(draw(st.sampled_from(REDUCTIONS)), x, dims=tuple(range(x.rank)), keepdim=True)


@case("softmax-of-one")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw), 1)
    return s.make(draw(st.sampled_from(["softmax", "log_softmax"])), x, dim=x.rank - 1)


@case("sum-of-softmax")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    dim = draw(st.integers(0, x.rank - 1))
    return s.make("sum", s.make("softmax", x, dim=dim), dims=(dim,), keepdim=True)


@case("merge-reductions")
def _(draw: Draw, s: Sketch) -> Term:
    op = draw(st.sampled_from(REDUCTIONS))
    return reduced(draw, s, reduced(draw, s, s.input(*shape(draw)), op), op)


@case("sum-of-scaled")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    dims = axes(draw, len(full))
    across = tuple(1 if d in dims else n for d, n in enumerate(full))
    factor = s.input(*across) if draw(st.booleans()) else s.weight(*across)
    product = (s.input(*full), factor) if draw(st.booleans()) else (factor, s.input(*full))
    return s.make("sum", s.make("mul", *product), dims=dims, keepdim=True)


@case("sum-of-shifted")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    return reduced(draw, s, s.make("add", s.input(*full), weight(draw, s, full)), "sum")


@case("sum-of-two")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    return reduced(draw, s, s.make(draw(st.sampled_from(["add", "sub"])), s.input(*full), s.input(*full)), "sum")


@case("reduce-permuted")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw, 2)
    return reduced(draw, s, s.make("permute", s.input(*full), dims=tuple(draw(st.permutations(range(len(full)))))))


@case("reduce-reshaped")
def _(draw: Draw, s: Sketch) -> Term:
    batch, rows, columns = shape(draw, 3, 3, WIDE)
    joined = s.make("reshape", s.input(batch, rows, columns), shape=(batch, 1, rows * columns))
    return s.make(
        draw(st.sampled_from(REDUCTIONS)), joined, dims=draw(st.sampled_from([(2,), (0, 2), (0,)])), keepdim=True
    )


@case("sum-of-reshaped-shift")
def _(draw: Draw, s: Sketch) -> Term:
    batch, rows, columns = shape(draw, 3, 3, WIDE)
    kept = [n if draw(st.booleans()) else 1 for n in (batch, rows * columns)]
    c = s.terms.const(draw(POSITIVE)) if draw(st.booleans()) else s.weight(*kept)
    inner = s.make(draw(st.sampled_from(["add", "mul"])), s.input(batch, rows * columns), c)
    return reduced(draw, s, s.make("reshape", inner, shape=(batch, 1, rows, columns)), "sum")


def monotone(draw: Draw, s: Sketch, x: Term) -> Term:
    op = draw(st.sampled_from(MONOTONE))
    return s.make(op, x, **(bounds(draw) if op == "clamp" else {"slope": 0.1} if op == "leaky_relu" else {}))


@case("reduce-before-monotone")
def _(draw: Draw, s: Sketch) -> Term:
    return reduced(draw, s, monotone(draw, s, s.input(*shape(draw))), draw(st.sampled_from(["amax", "amin"])))


@case("pool-before-monotone")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(2, 2, draw(st.integers(4, 7)), draw(st.integers(4, 7)))
    kernel = draw(st.integers(1, 3))
    return s.make(
        "max_pool",
        monotone(draw, s, x),
        kernel=(kernel, kernel),
        stride=(draw(st.integers(1, 2)),) * 2,
        padding=(kernel // 2,) * 2,
        dilation=(1, 1),
        ceil_mode=draw(st.booleans()),
    )


@case("reduce-before-affine")
def _(draw: Draw, s: Sketch) -> Term:
    full = shape(draw)
    dims = axes(draw, len(full))
    op = draw(st.sampled_from(["mul", "add"]))
    across = tuple(1 if d in dims else n for d, n in enumerate(full))
    other = draw(POSITIVE) if op == "mul" else s.weight(*across)
    extreme = draw(st.sampled_from(["amax", "amin"]))
    return s.make(extreme, s.make(op, s.input(*full), other), dims=dims, keepdim=True)
