"""Every rule on random shapes: it fires, and both sides agree in float64."""

from collections.abc import Callable
from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sketches import Sketch, assert_same, graph_of, run_sketch

from kernelwright.authors.rewriter.rules import ALL
from kernelwright.authors.rewriter.rules.convolution import windows
from kernelwright.authors.rewriter.saturate import Saturation
from kernelwright.authors.rewriter.terms import Term

Draw = Callable[[st.SearchStrategy[Any]], Any]
Case = Callable[[Draw, Sketch], Term]

SIZE = st.integers(1, 5)
WIDE = st.integers(2, 5)
NUMBER = st.sampled_from([-3.0, -0.5, 0.25, 0.7, 2.0])
POSITIVE = st.sampled_from([0.25, 0.7, 2.0])
REDUCTIONS = ("sum", "mean", "amax", "amin", "logsumexp")
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    """Registers a term that a rule must fire on."""

    def wrap(made: Case) -> Case:
        CASES[name] = made
        return made

    return wrap


def shape(draw: Draw, low: int = 1, high: int = 3, size: st.SearchStrategy[int] = SIZE) -> tuple[int, ...]:
    return tuple(draw(st.lists(size, min_size=low, max_size=high)))


def axes(draw: Draw, rank: int) -> tuple[int, ...]:
    return tuple(sorted(draw(st.sets(st.integers(0, rank - 1), min_size=1))))


def narrowed(draw: Draw, full: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to ``full``."""
    kept = [n if draw(st.booleans()) else 1 for n in full]
    return tuple(kept[draw(st.integers(0, len(kept))) :])


def weight(draw: Draw, s: Sketch, full: tuple[int, ...]) -> Term:
    """A weight, or a number, that broadcasts to ``full``."""
    return s.terms.const(draw(NUMBER)) if draw(st.booleans()) else s.weight(*narrowed(draw, full))


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


def bounds(draw: Draw) -> dict[str, float | None]:
    low, high = sorted(draw(st.lists(st.sampled_from([-1.0, -0.3, 0.0, 0.4, 1.0]), min_size=2, max_size=2)))
    kind = draw(st.integers(0, 2))
    return {"min": None if kind == 1 else low, "max": None if kind == 2 else high}


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


# -- views ------------------------------------------------------------------------------------------------------


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


# -- reductions -------------------------------------------------------------------------------------------------


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


def monotone(draw: Draw, s: Sketch, x: Term) -> Term:
    op = draw(st.sampled_from(["relu", "clamp", "sigmoid", "tanh", "exp"]))
    return s.make(op, x, **bounds(draw)) if op == "clamp" else s.make(op, x)


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


# -- linear layers and matrix products --------------------------------------------------------------------------


def linear(draw: Draw, s: Sketch, x: Term | None = None, bias: bool = False) -> Term:
    x = x or s.input(*shape(draw))
    out = draw(SIZE)
    return s.make("linear", x, s.weight(out, x.shape[-1]), *([s.weight(out)] if bias else []))


def along(draw: Draw, s: Sketch, term: Term, axis: int) -> Term:
    """A weight or number that varies along one axis at most."""
    size = draw(st.sampled_from([1, term.shape[axis]]))
    after = term.rank - axis - 1
    return s.terms.const(draw(NUMBER)) if draw(st.booleans()) else s.weight(size, *(1,) * after)


@case("linear-split-bias")
def _(draw: Draw, s: Sketch) -> Term:
    return linear(draw, s, bias=True)


@case("linear-join-bias")
def _(draw: Draw, s: Sketch) -> Term:
    y = linear(draw, s)
    return s.make("add", y, along(draw, s, y, y.rank - 1))


@case("linear-take-scale")
def _(draw: Draw, s: Sketch) -> Term:
    y = linear(draw, s)
    return s.make("mul", y, along(draw, s, y, y.rank - 1))


@case("linear-take-input-scale")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    return linear(draw, s, s.make("mul", x, along(draw, s, x, x.rank - 1)))


@case("linear-take-input-shift")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw))
    return linear(draw, s, s.make("add", x, along(draw, s, x, x.rank - 1)))


@case("sum-into-linear")
def _(draw: Draw, s: Sketch) -> Term:
    return reduced(draw, s, linear(draw, s), "sum")


@case("sum-of-products")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw, 0, 2), draw(WIDE))
    return s.make("sum", s.make("mul", x, s.weight(x.shape[-1])), dims=(x.rank - 1,), keepdim=True)


@case("linear-of-linear")
def _(draw: Draw, s: Sketch) -> Term:
    return linear(draw, s, linear(draw, s))


@case("add-linears")
def _(draw: Draw, s: Sketch) -> Term:
    x, out = s.input(*shape(draw)), draw(SIZE)
    return s.make("add", *(s.make("linear", x, s.weight(out, x.shape[-1])) for _ in range(2)))


@case("matmul-as-linear")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw, 2))
    return s.make("matmul", x, s.weight(x.shape[-1], draw(SIZE)))


def matrices(draw: Draw, s: Sketch, count: int) -> list[Term]:
    """Matrices that can be multiplied in a row, with equal batch axes."""
    batch = shape(draw, 0, 1)
    sizes = [draw(SIZE) for _ in range(count + 1)]
    return [s.input(*batch, sizes[k], sizes[k + 1]) for k in range(count)]


@case("sum-into-matmul")
def _(draw: Draw, s: Sketch) -> Term:
    product = s.make("matmul", *matrices(draw, s, 2))
    inner = draw(st.sampled_from([product.rank - 1, product.rank - 2]))
    return s.make("sum", product, dims=tuple(sorted({inner, *axes(draw, product.rank)})), keepdim=True)


@case("matmul-associate")
def _(draw: Draw, s: Sketch) -> Term:
    a, b, c = matrices(draw, s, 3)
    return s.make("matmul", s.make("matmul", a, b), c)


@case("matmul-associate-back")
def _(draw: Draw, s: Sketch) -> Term:
    a, b, c = matrices(draw, s, 3)
    return s.make("matmul", a, s.make("matmul", b, c))


@case("linear-of-matmul")
def _(draw: Draw, s: Sketch) -> Term:
    return linear(draw, s, s.make("matmul", *matrices(draw, s, 2)))


@case("matmul-of-linear")
def _(draw: Draw, s: Sketch) -> Term:
    a, b = matrices(draw, s, 2)
    return s.make("matmul", a, linear(draw, s, b))


@case("matmul-release-scale")
def _(draw: Draw, s: Sketch) -> Term:
    a, b = matrices(draw, s, 2)
    if draw(st.booleans()):
        return s.make("matmul", s.make("mul", a, draw(NUMBER)), b)
    return s.make("matmul", a, s.make("mul", b, draw(NUMBER)))


@case("matmul-take-scale")
def _(draw: Draw, s: Sketch) -> Term:
    return s.make("mul", s.make("matmul", *matrices(draw, s, 2)), draw(NUMBER))


@case("matvec-as-matmul")
def _(draw: Draw, s: Sketch) -> Term:
    a = s.input(*shape(draw, 2))
    return s.make("matvec", a, s.input(a.shape[-1]))


@case("matmul-as-matvec")
def _(draw: Draw, s: Sketch) -> Term:
    a = s.input(*shape(draw, 2))
    return s.make("matmul", a, s.input(a.shape[-1], 1))


@case("diagonal-left")
def _(draw: Draw, s: Sketch) -> Term:
    size = draw(SIZE)
    return s.make("matmul", s.make("diag", s.input(size)), s.input(*shape(draw, 0, 1), size, draw(SIZE)))


@case("diagonal-right")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*shape(draw, 2))
    op = draw(st.sampled_from(["matmul", "linear"]))
    return s.make(op, x, s.make("diag", (s.weight if op == "linear" else s.input)(x.shape[-1])))


@case("drop-triangle")
def _(draw: Draw, s: Sketch) -> Term:
    side = draw(st.sampled_from(["tril", "triu"]))
    k = [draw(st.integers(-2, 2)) for _ in range(2)]
    a, b = (s.make(side, x, diagonal=d) for x, d in zip(matrices(draw, s, 2), k, strict=True))
    return s.make(side, s.make("matmul", a, b), diagonal=sum(k))


@case("merge-triangles")
def _(draw: Draw, s: Sketch) -> Term:
    side = draw(st.sampled_from(["tril", "triu"]))
    inner = s.make(side, s.input(*shape(draw, 2)), diagonal=draw(st.integers(-2, 2)))
    return s.make(side, inner, diagonal=draw(st.integers(-2, 2)))


@case("skip-zero-blocks")
def _(draw: Draw, s: Sketch) -> Term:
    side, size = draw(st.sampled_from(["tril", "triu"])), draw(st.integers(256, 300))
    a, b = s.make(side, s.input(size, size), diagonal=0), s.input(size, draw(SIZE))
    return s.make("matmul", a, s.make(side, b, diagonal=0) if draw(st.booleans()) else b)


@case("skip-masked-blocks")
def _(draw: Draw, s: Sketch) -> Term:
    side, size = draw(st.sampled_from(["tril", "triu"])), draw(st.integers(256, 300))
    a, b = s.input(size, 7), s.input(7, draw(st.sampled_from([5, 280])))
    return s.make(side, s.make("matmul", a, b), diagonal=0)


# -- convolutions -----------------------------------------------------------------------------------------------


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


def test_every_rule_has_a_case() -> None:
    names = [rule.name for rule in ALL]
    assert sorted(CASES) == sorted(names)
    assert len(set(names)) == len(names)


def test_every_rule_says_why_it_holds() -> None:
    assert all(rule.proof and rule.condition and "\n" not in rule.proof for rule in ALL)


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_rule_fires_and_holds(rule: Any) -> None:
    examples = 4 if rule.name.startswith("skip-") else 12

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        torch.manual_seed(data.draw(st.integers(0, 1000)))
        sketch = Sketch()
        root = CASES[rule.name](data.draw, sketch)
        run = Saturation(sketch.graph(root), [rule])
        for _ in range(2):
            run.round(deadline=float("inf"), most_terms=1000)
        steps = [step for step in run.steps if step.rule == rule.name]
        assert steps, f"{rule.name} did not fire"
        for step in steps[:3]:
            both = graph_of(run.terms, [step.old, step.new])
            left, right = run_sketch(sketch, both)
            assert_same([right], [left])

    holds()


@given(
    transposed=st.booleans(),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
    size=st.integers(1, 12),
    taps=st.integers(1, 5),
)
@settings(max_examples=200, deadline=None)
def test_windows_are_what_each_tap_meets(
    transposed: bool, stride: int, padding: int, dilation: int, size: int, taps: int
) -> None:
    reach = dilation * (taps - 1)
    positions = (
        (size - 1) * stride - 2 * padding + reach + 1 if transposed else (size + 2 * padding - reach - 1) // stride + 1
    )
    if positions < 1:
        return
    attrs = {"stride": (stride,), "padding": (padding,), "dilation": (dilation,), "transposed": transposed}
    for k, (start, stop, step) in enumerate(windows(attrs, 0, size, taps, positions)):
        if transposed:
            met = [i for i in range(size) if 0 <= i * stride + k * dilation - padding < positions]
        else:
            met = [i for p in range(positions) if 0 <= (i := p * stride + k * dilation - padding) < size]
        assert list(range(start, stop, step)) == met
