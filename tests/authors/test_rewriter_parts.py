"""Parts before work: through which operations they go, what comes out, and where they must not go."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_cases.einsums import joined, opaque
from sketches import Sketch, assert_same, build, run_sketch
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.graph.ir import Graph, Slot, TensorType
from kernelwright.authors.graph.printer import print_module
from kernelwright.authors.rewriter.cost import MACHINES, Machine, cost_of
from kernelwright.authors.rewriter.parts import PARTS, with_parts_first
from kernelwright.authors.rewriter.process import cheapest_form
from kernelwright.authors.rewriter.saturate import Bounds
from kernelwright.authors.rewriter.terms import Term

TRAFFIC = Machine(flops_per_byte=1.0, call_bytes=0)
"""A machine on which only work counts, so that every smaller operation is cheaper."""
FLAT = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "output_padding": (0, 0)}
Made = Callable[[Sketch, Term], Term]


def conv(s: Sketch, x: Term, transposed: bool = False, groups: int = 1) -> Term:
    shape = (4, 6 // groups, 3, 3) if transposed else (6, 4 // groups, 3, 3)
    bias = s.weight(6)
    return s.make("conv", x, s.weight(*shape), bias, transposed=transposed, groups=groups, **FLAT)


def attention(s: Sketch, x: Term) -> Term:
    q, k, v = (s.make("tanh", s.make("add", x, s.weight(1, 4, 5, 6))) for _ in range(3))
    return s.make("attention", q, k, v, s.mask(5, 5), scale=0.5)


def aten_attention(s: Sketch, x: Term) -> Term:
    q, k, v = (s.make("tanh", s.make("add", x, s.weight(1, 4, 5, 6))) for _ in range(3))
    slots = (Slot(0), Slot(1), Slot(2))
    return opaque(s, "aten.scaled_dot_product_attention.default", q.type, slots, q, k, v)


def select(s: Sketch, x: Term, dim: int, index: int) -> Term:
    left = tuple(n for d, n in enumerate(x.shape) if d != dim % x.rank)
    return opaque(s, "aten.select.int", TensorType(left, "float64"), (Slot(0), dim, index), x)


def cut(s: Sketch, x: Term, dim: int, start: int, end: int) -> Term:
    length = len(range(*slice(start, end).indices(x.shape[dim])))
    left = tuple(length if d == dim else n for d, n in enumerate(x.shape))
    return opaque(s, "aten.slice.Tensor", TensorType(left, "float64"), (Slot(0), dim, start, end), x)


CASES: dict[str, tuple[Made, tuple[int, ...]]] = {
    "pointwise": (lambda s, x: s.make("add", s.make("gelu", x, approximate="none"), s.weight(4, 1, 6)), (0, 1, 2, 3)),
    "masked": (lambda s, x: s.make("masked_fill", s.make("tanh", x), s.mask(5, 6), value=0.0), (0, 1, 2, 3)),
    "permute": (lambda s, x: s.make("permute", s.make("tanh", x), dims=(2, 0, 3, 1)), (0, 1, 2, 3)),
    "split axes": (lambda s, x: s.make("reshape", s.make("tanh", x), shape=(3, 2, 2, 5, 6)), (0, 1, 3, 4)),
    "joined axes": (lambda s, x: s.make("reshape", s.make("tanh", x), shape=(3, 4, 30)), (0, 1)),
    "expand": (lambda s, x: s.make("expand", s.make("tanh", cut(s, x, 1, 0, 1)), shape=(3, 4, 5, 6)), (0, 2, 3)),
    "linear": (lambda s, x: s.make("linear", x, s.weight(7, 6), s.weight(7)), (0, 1, 2, 3)),
    "matmul": (lambda s, x: s.make("matmul", x, s.make("tanh", s.input(4, 6, 3))), (0, 1, 2, 3)),
    "einsum": (lambda s, x: s.make("einsum", x, s.weight(4, 6, 3), equation="abcd,bde->ceab"), (0, 1, 2, 3)),
    "conv": (conv, (0, 1)),
    "transposed conv": (lambda s, x: conv(s, x, transposed=True), (0, 1)),
    "grouped conv": (lambda s, x: conv(s, x, groups=2), (0,)),
    "batch norm": (
        lambda s, x: s.make("batch_norm", x, *(s.weight(4, positive=True) for _ in range(4)), eps=1e-5),
        (0, 1, 2, 3),
    ),
    "layer norm": (lambda s, x: s.make("layer_norm", x, s.weight(6), s.weight(6), axes=1, eps=1e-5), (0, 1, 2)),
    "group norm": (lambda s, x: s.make("group_norm", x, groups=2, eps=1e-5), (0,)),
    "softmax": (lambda s, x: s.make("softmax", x, dim=2), (0, 1, 3)),
    "sum": (lambda s, x: s.make("sum", x, dims=(1, 3), keepdim=True), (0, 2)),
    "mean without axes": (lambda s, x: s.make("mean", x, dims=(0, 2), keepdim=False), (0, 1)),
    "pool": (
        lambda s, x: s.make("avg_pool", x, kernel=(2, 2), stride=(2, 2), padding=(0, 0), include_pad=True),
        (0, 1),
    ),
    "attention": (attention, (0, 1, 2, 3)),
    "ATen's attention": (aten_attention, (0, 1, 2, 3)),
    "select": (lambda s, x: select(s, s.make("tanh", x), 1, -1), (0, 1, 2)),
    "slice": (lambda s, x: cut(s, s.make("tanh", x), 2, 1, 4), (0, 1, 2, 3)),
    "cat": (lambda s, x: joined(s, 1, s.make("tanh", x), s.make("exp", x)), (0, 2, 3)),
    "rows put together": (
        lambda s, x: s.make(
            "reshape",
            s.make("linear", s.make("reshape", x, shape=(60, 6)), s.weight(7, 6), s.weight(7)),
            shape=(3, 4, 5, 7),
        ),
        (0, 1, 2, 3),
    ),
}
ALONG = [(name, dim) for name, (_, dims) in CASES.items() for dim in dims]


def ops(graph: Graph) -> list[tuple[str, tuple[int, ...]]]:
    return [(node.op, node.type.shape) for node in graph.nodes]  # type: ignore[union-attr]


@pytest.mark.parametrize(("name", "dim"), ALONG, ids=[f"{name} along {dim}" for name, dim in ALONG])
def test_parts_go_through(name: str, dim: int) -> None:
    @settings(max_examples=2, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        s = Sketch()
        y = CASES[name][0](s, s.make("sigmoid", s.input(3, 4, 5, 6)))
        size = y.shape[dim]
        length = data.draw(st.integers(1, size - 1))
        start = data.draw(st.integers(0, size - length))
        kind = data.draw(st.sampled_from(["narrow", "slice", "select"] if length == 1 else ["narrow", "slice"]))
        shown: Any = {
            "narrow": lambda: s.make("narrow", y, dim=dim, start=start, length=length),
            "slice": lambda: cut(s, y, dim, start, start + length),
            "select": lambda: select(s, y, dim - y.rank, start),
        }[kind]()
        graph = s.graph(shown)
        found, moved = with_parts_first(graph, TRAFFIC)
        assert moved and cost_of(found, TRAFFIC) < cost_of(graph, TRAFFIC)
        assert (y.op, y.shape) not in ops(found)
        assert_same(run_sketch(s, found), run_sketch(s, graph))

    holds()


REFUSED: dict[str, Callable[[Sketch, Term], Term]] = {
    "the softmax's own axis": lambda s, x: cut(s, s.make("softmax", x, dim=2), 2, 0, 1),
    "a normalised axis": lambda s, x: cut(s, s.make("layer_norm", x, axes=2, eps=1e-5), 2, 0, 1),
    "channels that share a group": lambda s, x: cut(s, s.make("group_norm", x, groups=2, eps=1e-5), 1, 0, 1),
    "channels of a grouped convolution": lambda s, x: cut(s, conv(s, x, groups=2), 1, 0, 1),
    "positions of a convolution": lambda s, x: cut(s, conv(s, x), 2, 0, 1),
    "an axis behind another one": lambda s, x: cut(s, s.make("reshape", x, shape=(3, 4, 6, 5)), 3, 0, 1),
    "part of an entry": lambda s, x: cut(s, s.make("reshape", x, shape=(60, 6)), 0, 0, 7),
    "across a seam": lambda s, x: cut(s, joined(s, 1, x, s.make("exp", x)), 1, 3, 6),
    "every second entry": lambda s, x: opaque(
        s, "aten.slice.Tensor", TensorType((3, 4, 3, 6), "float64"), (Slot(0), 2, 0, 5, 2), s.make("tanh", x)
    ),
    "all of it": lambda s, x: cut(s, s.make("tanh", x), 2, 0, 5),
}


@pytest.mark.parametrize("name", REFUSED)
def test_parts_do_not_go_through(name: str) -> None:
    s = Sketch()
    graph = s.graph(REFUSED[name](s, s.make("sigmoid", s.input(3, 4, 5, 6))))
    assert with_parts_first(graph, TRAFFIC) == (graph, False)


def test_what_is_needed_whole_anyway_is_not_computed_again_in_part() -> None:
    s = Sketch()
    y = s.make("gelu", s.make("linear", s.input(3, 6), s.weight(7, 6)), approximate="none")
    graph = s.graph(y, s.make("tanh", cut(s, y, 0, 0, 1)))
    assert with_parts_first(graph, TRAFFIC) == (graph, False)


class Encoder(nn.Module):
    """Two layers behind a learned token; the answer is read off that token."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=batch_first)
        self.layers = nn.ModuleList([layer, nn.TransformerEncoderLayer(16, 2, 32, batch_first=batch_first)])
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.head = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), 1)
        for layer in self.layers:
            x = layer(x)
        return self.head(x[:, 0])


@pytest.mark.parametrize("batch_first", [True, False])
def test_only_one_token_of_the_last_layer_is_computed(batch_first: bool) -> None:
    torch.manual_seed(0)
    module, x = Encoder(batch_first).double().eval(), torch.randn(3, 40, 16, dtype=torch.float64)
    captured = capture(module, [x])
    found = cheapest_form(captured.graph, [], TRAFFIC, Bounds())
    assert found.applied == (PARTS.name,) and found.cost < found.cost_before
    made = build(print_module(captured, doc=["A test."], graph=found.graph, fold=True))
    made.load_state_dict(module.state_dict())
    with torch.no_grad():
        assert_same([made(x)], [module(x)])
    live = found.graph.live()
    hidden = [node.type.shape for node, depends in zip(found.graph.nodes, live, strict=True) if depends]  # type: ignore[union-attr]
    if batch_first:
        # the hidden units of a feed-forward layer: of all tokens once, then of one
        assert [shape for shape in hidden if shape[-1] == 32 and len(shape) == 3].count((3, 1, 32)) == 2
    else:
        assert hidden == []  # attention runs along the batch: the token never meets the input


def test_launches_count() -> None:
    """A view is a call too: where work is small, two of them are not worth what they save."""
    s = Sketch()
    graph = s.graph(cut(s, s.make("add", s.input(4, 4), s.input(4, 4)), 0, 0, 2))
    assert with_parts_first(graph, MACHINES["cuda"]) == (graph, False)
    assert with_parts_first(graph, TRAFFIC)[1]
