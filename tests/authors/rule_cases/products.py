"""Cases of rules on linear layers, matrix products and their structure."""

from math import prod

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.rewriter.terms import Term
from rule_cases.draws import NUMBER, SIZE, WIDE, Draw, along, axes, case, narrowed, shape
from rule_cases.reductions import reduced


def linear(draw: Draw, s: Sketch, x: Term | None = None, bias: bool = False) -> Term:
    x = x or s.input(*shape(draw))
    out = draw(SIZE)
    return s.make("linear", x, s.weight(out, x.shape[-1]), *([s.weight(out)] if bias else []))


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


@case("sum-split-features")
def _(draw: Draw, s: Sketch) -> Term:
    sizes = [draw(WIDE) for _ in range(draw(st.integers(2, 3)))]
    x = s.input(*shape(draw))
    y = s.make("linear", x, s.weight(prod(sizes), x.shape[-1]))
    shown = s.make("reshape", y, shape=(*x.shape[:-1], 1, *sizes) if draw(st.booleans()) else (*x.shape[:-1], *sizes))
    return s.make("sum", shown, dims=(shown.rank - draw(st.integers(1, len(sizes))),), keepdim=True)


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


@case("matmul-take-row-scale")
def _(draw: Draw, s: Sketch) -> Term:
    heads, rows, inner, columns = (draw(SIZE) for _ in range(4))
    product = s.make("matmul", s.input(2, heads, rows, inner), s.input(2, heads, inner, columns))
    return s.make("mul", product, s.weight(*narrowed(draw, (2, heads, rows)), 1))


@case("matvec-as-matmul")
def _(draw: Draw, s: Sketch) -> Term:
    a = s.input(*shape(draw, 2))
    return s.make("matvec", a, s.input(a.shape[-1]))


@case("matmul-as-matvec")
def _(draw: Draw, s: Sketch) -> Term:
    a = s.input(*shape(draw, 2))
    return s.make("matmul", a, s.input(a.shape[-1], 1))


@case("as-attention")
def _(draw: Draw, s: Sketch) -> Term:
    batch, rows, keys, inner, out = (draw(SIZE) for _ in range(5))
    heads = shape(draw, 0, 1)
    q, k, v = (s.input(batch, *heads, *end) for end in ((rows, inner), (keys, inner), (keys, out)))
    turned = s.make("permute", k, dims=(*range(k.rank - 2), k.rank - 1, k.rank - 2))
    scores = s.make("matmul", q, turned)
    if draw(st.booleans()):
        scores = s.make("mul", scores, draw(st.sampled_from([0.25, 0.7, inner**-0.5])))
    change = draw(st.sampled_from(["", "hide", "shift"]))
    if change == "hide":
        scores = s.make("masked_fill", scores, s.mask(rows, keys), value=float("-inf"))
    elif change == "shift":
        scores = s.make("add", scores, s.weight(*narrowed(draw, scores.shape)))
    return s.make("matmul", s.make("softmax", scores, dim=scores.rank - 1), v)


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
