"""Random programs under all rules at once: the rewriting computes what the original computes."""

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sketches import Sketch, assert_same, run_sketch

from kernelwright.authors.rewriter.cost import MACHINES, cost_of
from kernelwright.authors.rewriter.rules import ALL
from kernelwright.authors.rewriter.saturate import Bounds, rewrite
from kernelwright.authors.rewriter.terms import Term

NUMBER = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])
BOUNDS = Bounds(rounds=8, terms=600, seconds=5.0)


def elementwise(draw: Any, s: Sketch, x: Term) -> Term:
    op = draw(st.sampled_from(["relu", "abs", "neg", "sigmoid", "tanh", "clamp", "gelu", "leaky_relu", "mish", "gate"]))
    if op == "gate":
        return s.make("mul", x, s.make("sigmoid", x))
    attrs: dict[str, Any] = {}
    if op == "clamp":
        attrs = {"min": draw(st.sampled_from([None, -0.5, 0.0])), "max": draw(st.sampled_from([0.5, 1.0]))}
    elif op == "gelu":
        attrs = {"approximate": "none"}
    elif op == "leaky_relu":
        attrs = {"slope": 0.1}
    return s.make(op, x, **attrs)


def with_weight(draw: Any, s: Sketch, x: Term) -> Term:
    full = [n if draw(st.booleans()) else 1 for n in x.shape]
    other = draw(st.sampled_from(["number", "weight", "self"]))
    operand = {"number": lambda: s.terms.const(draw(NUMBER)), "weight": lambda: s.weight(*full), "self": lambda: x}[
        other
    ]()
    op = draw(st.sampled_from(["add", "sub", "mul"]))
    return s.make(op, *((x, operand) if draw(st.booleans()) else (operand, x)))


def reduction(draw: Any, s: Sketch, x: Term) -> Term:
    dims = tuple(sorted(draw(st.sets(st.integers(0, x.rank - 1), min_size=1, max_size=2))))
    keep = x.rank <= 2 or draw(st.booleans())
    return s.make(draw(st.sampled_from(["sum", "mean", "amax", "logsumexp"])), x, dims=dims, keepdim=keep)


def structure(draw: Any, s: Sketch, x: Term) -> Term:
    kind = draw(st.sampled_from(["permute", "unit", "softmax", "tril", "linear", "matmul", "skip"]))
    if kind == "permute":
        return s.make("permute", x, dims=tuple(draw(st.permutations(range(x.rank)))))
    if kind == "unit" and x.rank < 5:
        at = draw(st.integers(0, x.rank))
        return s.make("reshape", x, shape=(*x.shape[:at], 1, *x.shape[at:]))
    if kind == "softmax":
        return s.make("softmax", x, dim=draw(st.integers(0, x.rank - 1)))
    if x.rank >= 2 and kind == "tril":
        return s.make("tril", x, diagonal=draw(st.integers(-1, 1)))
    if kind == "linear":
        return s.make("linear", x, s.weight(draw(st.integers(1, 4)), x.shape[-1]))
    if x.rank >= 2 and kind == "matmul":
        return s.make("matmul", x, s.make("permute", x, dims=(*range(x.rank - 2), x.rank - 1, x.rank - 2)))
    return x


def convolution(draw: Any, s: Sketch, x: Term) -> Term:
    if x.rank != 4 or min(x.shape[2:]) < 3:
        return x
    transposed = draw(st.booleans())
    out = draw(st.integers(1, 3))
    weight = s.weight(*((x.shape[1], out) if transposed else (out, x.shape[1])), 3, 2)
    bias = [s.weight(out)] if draw(st.booleans()) else []
    y = s.make(
        "conv",
        x,
        weight,
        *bias,
        stride=(draw(st.integers(1, 2)), 1),
        padding=(draw(st.integers(0, 1)), 1),
        dilation=(1, 1),
        groups=1,
        transposed=transposed,
        output_padding=(0, 0),
    )
    if draw(st.booleans()):
        return y
    rest = [s.weight(out) for _ in range(3)]
    return s.make("batch_norm", y, *rest, s.weight(out, positive=True), eps=1e-5)


def window(draw: Any, s: Sketch, x: Term) -> Term:
    if x.rank != 4 or min(x.shape[2:]) < 3:
        return x
    kernel, stride = ((draw(st.integers(1, 3)), 2) for _ in range(2))
    if draw(st.booleans()):
        return s.make("avg_pool", x, kernel=kernel, stride=stride, padding=(0, 0), include_pad=True)
    return s.make("max_pool", x, kernel=kernel, stride=stride, padding=(0, 1), dilation=(1, 1), ceil_mode=False)


def norm(draw: Any, s: Sketch, x: Term) -> Term:
    if x.rank != 4 or min(x.shape[2:]) < 3:
        return x
    op = draw(st.sampled_from(["group_norm", "instance_norm", "layer_norm"]))
    attrs = {"group_norm": {"groups": 1}, "layer_norm": {"axes": 2}}.get(op, {})
    own = x.shape[-2:] if op == "layer_norm" else x.shape[1:2]
    return s.make(op, x, *(s.weight(*own) for _ in range(draw(st.sampled_from([0, 2])))), eps=1e-2, **attrs)


STEPS = (elementwise, with_weight, with_weight, reduction, structure, convolution, window, norm)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_rewritten_programs_compute_the_same(data: st.DataObject) -> None:
    torch.manual_seed(data.draw(st.integers(0, 10_000)))
    sketch = Sketch()
    x = sketch.input(*data.draw(st.sampled_from([(3, 4), (2, 3, 4), (2, 2, 5, 4), (1, 3, 6, 5), (2, 2, 9, 8)])))
    values = [x]
    for _ in range(data.draw(st.integers(2, 7))):
        values.append(data.draw(st.sampled_from(STEPS))(data.draw, sketch, values[-1]))
    earlier = data.draw(st.sampled_from(values))
    graph = sketch.graph(*dict.fromkeys([values[-1], earlier]))
    found = rewrite(graph, ALL, MACHINES["cpu"], BOUNDS)
    assert found.cost <= cost_of(graph, MACHINES["cpu"])
    assert_same(run_sketch(sketch, found.graph), run_sketch(sketch, graph), tolerance=1e-8)
