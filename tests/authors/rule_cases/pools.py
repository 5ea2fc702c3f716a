"""Cases of rules on pooling."""

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.rewriter.terms import Term
from rule_cases.convolutions import RANK, conv, geometry
from rule_cases.draws import NUMBER, POSITIVE, Draw, case


def positions(draw: Draw, rank: int) -> tuple[int, ...]:
    return (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *(draw(st.integers(8, 13)) for _ in range(rank)))


def average(draw: Draw, s: Sketch, x: Term, *, stride: tuple[int, ...] | None = None, padded: bool = False) -> Term:
    rank = x.rank - 2
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    stride = stride or tuple(draw(st.integers(1, 3)) for _ in range(rank))
    padding = tuple(draw(st.integers(0, k // 2)) if padded else 0 for k in kernel)
    assume(all(n >= k for n, k in zip(x.shape[2:], kernel, strict=True)))
    return s.make("avg_pool", x, kernel=kernel, stride=stride, padding=padding, include_pad=draw(st.booleans()))


def largest(draw: Draw, s: Sketch, x: Term, **changed: Any) -> Term:
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(x.rank - 2))
    stride = tuple(draw(st.integers(1, k)) for k in kernel)
    one = (1,) * len(kernel)
    plain = {"kernel": kernel, "stride": stride, "padding": (0,) * len(kernel), "dilation": one, "ceil_mode": False}
    return s.make("max_pool", x, **(plain | changed))


def per_channel(draw: Draw, s: Sketch, x: Term) -> Term:
    across = (draw(st.sampled_from([1, x.shape[1]])), *(1,) * (x.rank - 2))
    return draw(st.sampled_from([s.weight(*across), s.input(*across), s.terms.const(draw(NUMBER))]))


@case("merge-average-pools")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*positions(draw, draw(RANK)))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(x.rank - 2))
    none = {"padding": (0,) * len(kernel), "include_pad": True}
    inner = s.make("avg_pool", x, kernel=kernel, stride=kernel, **none)
    outer = tuple(draw(st.integers(1, 2)) for _ in kernel)
    return s.make("avg_pool", inner, kernel=outer, stride=tuple(draw(st.integers(1, 3)) for _ in kernel), **none)


@case("merge-max-pools")
def _(draw: Draw, s: Sketch) -> Term:
    inner = largest(draw, s, s.input(*positions(draw, draw(RANK))))
    outer = tuple(draw(st.integers(1, 2)) for _ in range(inner.rank - 2))
    return largest(draw, s, inner, kernel=outer, stride=tuple(draw(st.integers(1, 3)) for _ in outer))


@case("average-pool-of-scaled")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*positions(draw, draw(RANK)))
    return average(draw, s, s.make("mul", x, per_channel(draw, s, x)), padded=True)


@case("average-pool-of-shifted")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*positions(draw, draw(RANK)))
    return average(draw, s, s.make("add", x, per_channel(draw, s, x)))


@case("max-pool-of-affine")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(*positions(draw, draw(RANK)))
    scaled = s.make("mul", x, draw(POSITIVE))
    return largest(draw, s, scaled if draw(st.booleans()) else s.make("add", x, per_channel(draw, s, x)))


@case("average-pool-as-mean")
def _(draw: Draw, s: Sketch) -> Term:
    size, count = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    x = s.input(draw(st.integers(1, 3)), draw(st.integers(1, 2)), size * count)
    return s.make("avg_pool", x, kernel=(size,), stride=(size,), padding=(0,), include_pad=True)


@case("average-pool-before-pointwise")
def _(draw: Draw, s: Sketch) -> Term:
    rank = draw(RANK)
    one = (1,) * rank
    attrs = geometry(draw, rank, padded=False, stride=one, output_padding=(0,) * rank)
    x = s.input(1, 2 * attrs["groups"], *(draw(st.integers(6, 8)) for _ in one))
    kernel = (x.shape[1], 2) if attrs["transposed"] else (2 * attrs["groups"], x.shape[1] // attrs["groups"])
    return average(draw, s, s.make("conv", x, s.weight(*kernel, *one), **attrs), padded=True)


@case("average-pool-of-conv")
def _(draw: Draw, s: Sketch) -> Term:
    rank = draw(RANK)
    attrs = geometry(draw, rank, transposed=False, output_padding=(0,) * rank)
    y = conv(draw, s, attrs)
    assume(min(y.shape[2:]) >= 3)
    return average(draw, s, y)


@case("average-pool-of-conv-transpose")
def _(draw: Draw, s: Sketch) -> Term:
    rank = draw(RANK)
    attrs = geometry(draw, rank, transposed=True, output_padding=(0,) * rank, padding=(draw(st.integers(0, 1)),) * rank)
    y = conv(draw, s, attrs)
    kernel = tuple(n * draw(st.integers(1, 2)) for n in attrs["stride"])
    none = {"padding": (0,) * rank, "include_pad": True}
    assume(all(n >= k for n, k in zip(y.shape[2:], kernel, strict=True)))
    pooled = s.make("avg_pool", y, kernel=kernel, stride=kernel, **none)
    assume(same_padding_does(y, kernel))
    return pooled


def same_padding_does(y: Term, kernel: tuple[int, ...]) -> bool:
    """Whether padding alike on both sides reaches just the positions of the pool, worked out from the sizes."""
    for axis, n in enumerate(kernel):
        stride, dilation, padding = (y.attr[key][axis] for key in ("stride", "dilation", "padding"))
        x, w = (y.table.nodes[a].type.shape[2 + axis] for a in y.node.args)  # type: ignore[union-attr]
        offsets = [q for q in range(-8, 9) if any(0 <= q * stride + k * dilation - padding < n for k in range(w))]
        reach = range(min(offsets), max(offsets) + 1)
        step = n // stride
        wanted = (y.shape[2 + axis] - n) // n + 1
        if reach[0] > 0 or (x - 2 * reach[0] - len(reach)) // step + 1 != wanted:
            return False
    return True


@case("conv-transpose-as-conv")
def _(draw: Draw, s: Sketch) -> Term:
    rank = draw(RANK)
    one, none = (1,) * rank, (0,) * rank
    attrs = geometry(draw, rank, transposed=True, stride=one, dilation=one, output_padding=none, padding=none)
    return conv(draw, s, attrs)
