"""Cases of rules on layer, group and instance normalisation."""

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.graph.ops import NORMS
from kernelwright.authors.rewriter.rules.normalisation import whole_axes
from kernelwright.authors.rewriter.terms import Term
from rule_cases.draws import NUMBER, Draw, axes, case

KIND = st.sampled_from(NORMS)


def norm(draw: Draw, s: Sketch, op: str, x: Term | None = None, affine: bool = False) -> Term:
    """A normalisation of groups of four elements or more: of fewer, the variance may be next to nothing."""
    x = x or s.input(*norm_input(draw))
    attrs: dict[str, object] = {"eps": draw(st.sampled_from([1e-5, 1e-3]))}
    if op == "group_norm":
        attrs["groups"] = draw(st.sampled_from([n for n in (1, 2, 4) if x.shape[1] % n == 0]))
    if op == "layer_norm":
        attrs["axes"] = draw(st.integers(1, x.rank))
    own = x.shape[-attrs["axes"] :] if op == "layer_norm" else (x.shape[1],)  # type: ignore[operator]
    return s.make(op, x, *([s.weight(*own), s.weight(*own)] if affine else []), **attrs)


def norm_input(draw: Draw) -> tuple[int, ...]:
    space = draw(st.sampled_from([(5,), (4, 3), (2, 2, 3)]))
    return (draw(st.integers(1, 2)), draw(st.sampled_from([1, 2, 4])), *space[:-1], space[-1] + 2)


def parameter(draw: Draw, s: Sketch, y: Term) -> Term:
    """A weight or number that varies as a scale or shift of the normalisation may."""
    if draw(st.booleans()):
        return s.terms.const(draw(NUMBER))
    own = range(y.rank - y.attr["axes"], y.rank) if y.op == "layer_norm" else (1,)
    kept = [n if d in own and draw(st.booleans()) else 1 for d, n in enumerate(y.shape)]
    return s.weight(*kept)


@case("norm-split-affine")
def _(draw: Draw, s: Sketch) -> Term:
    return norm(draw, s, draw(KIND), affine=True)


@case("norm-join-affine")
def _(draw: Draw, s: Sketch) -> Term:
    y = norm(draw, s, draw(KIND))
    kind = draw(st.integers(0, 2))
    scaled = s.make("mul", y, parameter(draw, s, y)) if kind < 2 else y
    return s.make("add", scaled, parameter(draw, s, y)) if kind > 0 else scaled


@case("norm-drop-shift")
def _(draw: Draw, s: Sketch) -> Term:
    bare = norm(draw, s, draw(KIND))
    (x,) = (Term(s.terms, a) for a in bare.node.args)
    across = [1 if d in whole_axes(bare) else n for d, n in enumerate(x.shape)]
    shift = draw(st.sampled_from([s.weight(*across), s.input(*across), s.terms.const(draw(NUMBER))]))
    return s.make(bare.op, s.make("add", x, shift), **bare.attr)


@case("sum-of-norm")
def _(draw: Draw, s: Sketch) -> Term:
    y = norm(draw, s, draw(KIND))
    return s.make("sum", y, dims=tuple(sorted({*whole_axes(y), *axes(draw, y.rank)})), keepdim=True)


@case("sum-positions-of-group-norm")
def _(draw: Draw, s: Sketch) -> Term:
    batch, _, *space = norm_input(draw)
    x = s.input(batch, 4, *space)
    y = s.make("group_norm", x, groups=draw(st.integers(1, 2)), eps=1e-5)
    others = draw(st.sampled_from([(), (0,), (1,)]))
    return s.make("sum", y, dims=(*others, *range(2, x.rank)), keepdim=True)
