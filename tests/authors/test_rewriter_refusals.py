"""Side conditions: terms that look like a rule's, and on which it must not fire."""

from collections.abc import Callable
from typing import Any

import pytest
from rule_cases.einsums import einsum, joined, opaque
from sketches import Sketch

from kernelwright.authors.graph.ir import Node, Slot, TensorType, attributes
from kernelwright.authors.rewriter.rules import ALL
from kernelwright.authors.rewriter.saturate import Saturation
from kernelwright.authors.rewriter.terms import Term

RULES = {rule.name: rule for rule in ALL}
FLAT = {"padding": (0, 0), "dilation": (1, 1), "groups": 1, "output_padding": (0, 0)}


def conv(s: Sketch, *, transposed: bool = False, stride: int = 1, taps: int = 3, **changed: Any) -> Term:
    attrs = FLAT | {"transposed": transposed, "stride": (stride, stride)} | changed
    return s.make("conv", s.input(1, 2, 9, 9), s.weight(2, 2, taps, taps), **attrs)


def average(s: Sketch, x: Term, size: int = 2, stride: int = 2, padding: int = 0, include_pad: bool = True) -> Term:
    return s.make(
        "avg_pool",
        x,
        kernel=(size,) * (x.rank - 2),
        stride=(stride,) * (x.rank - 2),
        padding=(padding,) * (x.rank - 2),
        include_pad=include_pad,
    )


def largest(s: Sketch, x: Term, **changed: Any) -> Term:
    two, one = (2, 2), (1, 1)
    plain = {"kernel": two, "stride": two, "padding": (0, 0), "dilation": one, "ceil_mode": False}
    return s.make("max_pool", x, **(plain | changed))


def half(s: Sketch, *shape: int) -> Term:
    """An input in float16: sums must not be taken in another order."""
    node = Node("input", (), attributes(index=0), TensorType(shape, "float16"))
    return Term(s.terms, s.terms.insert(node))


def half_weight(s: Sketch, *shape: int) -> Term:
    node = Node("weight", (), attributes(name=f"h{shape}"), TensorType(shape, "float16"))
    return Term(s.terms, s.terms.insert(node))


def zeros(s: Sketch, *shape: int) -> Term:
    return s.terms.full(TensorType(shape, "float64"), 0.0)


def image(s: Sketch) -> Term:
    return s.input(2, 4, 6, 6)


def apart(s: Sketch, c: Term) -> Term:
    """(x + c) - (y + c)."""
    return s.make("sub", s.make("add", s.input(1), c), s.make("add", s.input(1), c))


def nearly_gelu(s: Sketch, x: Term) -> Term:
    raised = s.make("add", s.make("erf", s.make("mul", x, 0.7)), 1.0)
    return s.make("mul", s.make("mul", x, 0.5), raised)


def scaled_and_kept(s: Sketch, x: Term, y: Term) -> Term:
    return s.make("add", s.make("mul", x, y), x)


def attention(s: Sketch, *, value: float = float("-inf"), dim: int = 2, turned: tuple[int, ...] = (0, 2, 1)) -> Term:
    scores = s.make("matmul", s.input(3, 3, 3), s.make("permute", s.input(3, 3, 3), dims=turned))
    hidden = s.make("masked_fill", scores, s.mask(3, 3), value=value)
    return s.make("matmul", s.make("softmax", hidden, dim=dim), s.input(3, 3, 3))


def widened_attention(s: Sketch) -> Term:
    scores = s.make("matmul", s.input(3, 3, 3), s.make("permute", s.input(3, 3, 3), dims=(0, 2, 1)))
    shifted = s.make("add", scores, s.weight(2, 3, 3, 3))
    return s.make("matmul", s.make("softmax", shifted, dim=3), s.input(3, 3, 3))


REFUSED: list[tuple[str, str, Callable[[Sketch], Term]]] = [
    ("bounds-meet", "bounds apart", lambda s: s.make("clamp", s.input(3), min=0.0, max=1.0)),
    ("extreme-as-clamp", "values unknown", lambda s: s.make("maximum", s.input(3), s.weight(3))),
    (
        "extreme-as-clamp",
        "x is widened",
        lambda s: s.make("maximum", s.input(3), s.terms.full(TensorType((2, 3), "float64"), 1.0)),
    ),
    (
        "drop-extreme",
        "bounds overlap",
        lambda s: s.make("maximum", s.make("exp", s.input(3)), s.make("tanh", s.input(3))),
    ),
    (
        "drop-extreme",
        "x is widened",
        lambda s: s.make("maximum", s.make("exp", s.input(1)), s.make("clamp", s.input(3), min=None, max=0.0)),
    ),
    ("clamp-take-scale", "zero", lambda s: s.make("mul", s.make("clamp", s.input(3), min=0.0, max=1.0), 0.0)),
    (
        "clamp-take-scale",
        "a weight",
        lambda s: s.make("mul", s.make("clamp", s.input(3), min=0.0, max=1.0), s.weight(3)),
    ),
    (
        "clamp-take-shift",
        "a weight",
        lambda s: s.make("add", s.make("clamp", s.input(3), min=0.0, max=1.0), s.weight(3)),
    ),
    ("extreme-take-shift", "an input", lambda s: s.make("add", s.make("maximum", s.input(3), s.weight(3)), s.input(3))),
    (
        "cancel-shift",
        "the shift widens",
        lambda s: apart(s, s.weight(3)),
    ),
    ("homogeneous-take-scale", "negative", lambda s: s.make("mul", s.make("relu", s.input(3)), -2.0)),
    ("homogeneous-take-scale", "sign unknown", lambda s: s.make("mul", s.make("relu", s.input(3)), s.weight(1))),
    ("as-silu", "another argument", lambda s: s.make("mul", s.input(3), s.make("sigmoid", s.input(3)))),
    (
        "as-hardsigmoid",
        "another slope",
        lambda s: s.make("clamp", s.make("mul", s.make("add", s.input(3), 3.0), 0.2), min=0.0, max=1.0),
    ),
    (
        "as-hardsigmoid",
        "another bound",
        lambda s: s.make("clamp", s.make("mul", s.make("add", s.input(3), 3.0), 1 / 6), min=0.0, max=6.0),
    ),
    (
        "as-gelu",
        "another scale",
        lambda s: nearly_gelu(s, s.input(3)),
    ),
    ("drop-leaky-relu", "may be negative", lambda s: s.make("leaky_relu", s.make("tanh", s.input(3)), slope=0.1)),
    (
        "merge-leaky-relus",
        "a negative slope",
        lambda s: s.make("leaky_relu", s.make("leaky_relu", s.input(3), slope=-0.5), slope=0.1),
    ),
    (
        "softmax-drop-shift",
        "varies along the axis",
        lambda s: s.make("softmax", s.make("add", s.input(2, 3), s.weight(3)), dim=1),
    ),
    (
        "softmax-drop-shift",
        "x is widened",
        lambda s: s.make("softmax", s.make("add", s.input(3), s.weight(2, 1)), dim=1),
    ),
    (
        "norm-join-affine",
        "varies along positions",
        lambda s: s.make("mul", s.make("group_norm", image(s), groups=2, eps=1e-5), s.weight(6)),
    ),
    (
        "norm-join-affine",
        "an input",
        lambda s: s.make("mul", s.make("instance_norm", image(s), eps=1e-5), s.input(4, 1, 1)),
    ),
    (
        "norm-drop-shift",
        "groups mix channels",
        lambda s: s.make("group_norm", s.make("add", image(s), s.weight(4, 1, 1)), groups=2, eps=1e-5),
    ),
    (
        "norm-drop-shift",
        "varies along positions",
        lambda s: s.make("instance_norm", s.make("add", image(s), s.weight(6)), eps=1e-5),
    ),
    (
        "norm-drop-shift",
        "varies along the normalised axis",
        lambda s: s.make("layer_norm", s.make("add", image(s), s.weight(6)), axes=1, eps=1e-5),
    ),
    (
        "sum-of-norm",
        "a group in part",
        lambda s: s.make("sum", s.make("group_norm", image(s), groups=2, eps=1e-5), dims=(2, 3), keepdim=True),
    ),
    (
        "sum-of-norm",
        "rows in part",
        lambda s: s.make("sum", s.make("layer_norm", image(s), axes=2, eps=1e-5), dims=(0, 1, 3), keepdim=True),
    ),
    (
        "sum-positions-of-group-norm",
        "positions in part",
        lambda s: s.make("sum", s.make("group_norm", image(s), groups=2, eps=1e-5), dims=(1, 2), keepdim=True),
    ),
    ("merge-average-pools", "padding", lambda s: average(s, average(s, image(s), padding=1))),
    ("merge-average-pools", "windows overlap", lambda s: average(s, average(s, image(s), size=3))),
    ("merge-max-pools", "gaps", lambda s: largest(s, largest(s, image(s), stride=(3, 3), kernel=(2, 2)))),
    ("merge-max-pools", "padding", lambda s: largest(s, largest(s, image(s), padding=(1, 1)))),
    ("merge-max-pools", "partial windows", lambda s: largest(s, largest(s, s.input(1, 1, 7, 7), ceil_mode=True))),
    ("average-pool-of-scaled", "varies by position", lambda s: average(s, s.make("mul", image(s), s.weight(6)))),
    ("average-pool-of-shifted", "padding", lambda s: average(s, s.make("add", image(s), s.weight(4, 1, 1)), padding=1)),
    ("max-pool-of-affine", "sign unknown", lambda s: largest(s, s.make("mul", image(s), s.weight(4, 1, 1)))),
    ("max-pool-of-affine", "negative", lambda s: largest(s, s.make("mul", image(s), -1.0))),
    ("average-pool-as-mean", "something is left out", lambda s: average(s, s.input(1, 1, 7))),
    ("average-pool-before-pointwise", "several taps", lambda s: average(s, conv(s))),
    ("average-pool-before-pointwise", "padding", lambda s: average(s, conv(s, taps=1, padding=(1, 1)))),
    ("average-pool-of-conv", "padding", lambda s: average(s, conv(s), padding=1)),
    ("average-pool-of-conv", "transposed", lambda s: average(s, conv(s, transposed=True))),
    (
        "average-pool-of-conv-transpose",
        "strides do not divide",
        lambda s: average(s, conv(s, transposed=True, stride=3)),
    ),
    ("average-pool-of-conv-transpose", "not transposed", lambda s: average(s, conv(s, stride=2))),
    ("conv-transpose-as-conv", "stride two", lambda s: conv(s, transposed=True, stride=2)),
    ("conv-transpose-as-conv", "padding beyond the taps", lambda s: conv(s, transposed=True, padding=(3, 3))),
    ("pool-before-monotone", "falling", lambda s: largest(s, s.make("leaky_relu", image(s), slope=-1.0))),
    ("as-attention", "finite scores hide nothing", lambda s: attention(s, value=-1e9)),
    ("as-attention", "a shift that widens the scores", widened_attention),
    (
        "matmul-take-row-scale",
        "varies along columns",
        lambda s: s.make("mul", s.make("matmul", s.input(2, 3), s.input(3, 4)), s.weight(2, 4)),
    ),
    (
        "matmul-take-row-scale",
        "an input",
        lambda s: s.make("mul", s.make("matmul", s.input(2, 3), s.input(3, 4)), s.input(2, 1)),
    ),
    (
        "matmul-take-row-scale",
        "widens the left side",
        lambda s: s.make("mul", s.make("matmul", s.input(2, 3), s.input(5, 3, 4)), s.weight(5, 1, 1)),
    ),
    (
        "weights-through-reshape",
        "varies along axes that stay",
        lambda s: s.make("add", s.make("reshape", s.input(6, 4), shape=(2, 3, 4)), s.weight(4)),
    ),
    (
        "weights-through-reshape",
        "an input",
        lambda s: s.make("add", s.make("reshape", s.input(6, 4), shape=(2, 3, 4)), s.input(2, 1, 1)),
    ),
    (
        "weights-through-reshape",
        "widens the view",
        lambda s: s.make("add", s.make("reshape", s.input(6, 4), shape=(2, 3, 4)), s.weight(5, 2, 3, 4)),
    ),
    ("as-attention", "another axis", lambda s: attention(s, dim=1)),
    ("as-attention", "keys are not turned", lambda s: attention(s, turned=(1, 0, 2))),
    ("factor-input", "a weight", lambda s: scaled_and_kept(s, s.input(3), s.weight(3))),
    ("factor-input", "y widens", lambda s: scaled_and_kept(s, s.input(3), s.input(2, 3))),
    (
        "sum-split-features",
        "rows are summed too",
        lambda s: s.make(
            "sum",
            s.make("reshape", s.make("linear", s.input(2, 3), s.weight(4, 3)), shape=(2, 2, 2)),
            dims=(0, 2),
            keepdim=True,
        ),
    ),
    (
        "sum-of-norm",
        "float16",
        lambda s: s.make("sum", s.make("layer_norm", half(s, 4, 8), axes=1, eps=1e-5), dims=(1,), keepdim=True),
    ),
    (
        "einsum-join-weights",
        "one weight",
        lambda s: einsum(s, "ab,b,b->a", s.weight(2, 3), s.input(3), s.input(3)),
    ),
    (
        "einsum-join-weights",
        "float16",
        lambda s: einsum(s, "ab,a,b->b", half(s, 2, 3), half_weight(s, 2), half_weight(s, 3)),
    ),
    (
        "einsum-of-einsum",
        "two inputs",
        lambda s: einsum(s, "a,ab->b", s.weight(2), einsum(s, "ab,ab->ab", s.input(2, 3), s.input(2, 3))),
    ),
    (
        "einsum-of-zeros",
        "the axis stays",
        lambda s: einsum(s, "a,ab->a", s.weight(5), joined(s, 0, zeros(s, 2, 3), s.input(3, 3))),
    ),
    (
        "einsum-of-zeros",
        "not joined along the axis of a",
        lambda s: einsum(s, "a,ab->b", s.weight(2), joined(s, 1, zeros(s, 2, 3), s.input(2, 3))),
    ),
    (
        "einsum-of-zeros",
        "nothing is zero",
        lambda s: einsum(s, "a,ab->b", s.weight(5), joined(s, 0, s.input(2, 3), s.input(3, 3))),
    ),
    (
        "like-as-full",
        "another call",
        lambda s: opaque(s, "aten.rsqrt.default", TensorType((3,), "float64"), (Slot(0),), s.input(3)),
    ),
    ("merge-average-pools", "float16", lambda s: average(s, average(s, half(s, 1, 1, 8, 8)))),
]


@pytest.mark.parametrize(("name", "why", "build"), REFUSED, ids=[f"{name}: {why}" for name, why, _ in REFUSED])
def test_rule_does_not_fire(name: str, why: str, build: Callable[[Sketch], Term]) -> None:
    sketch = Sketch()
    run = Saturation(sketch.graph(build(sketch)), [RULES[name]])
    for _ in range(2):
        run.round(deadline=float("inf"), most_terms=1000)
    assert [step for step in run.steps if step.rule == name] == []
