"""Several products at once: where it pays, what it computes, and where it must not happen."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sketches import Sketch, assert_same, run_sketch

from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.rewriter.cost import MACHINES, Machine, cost_of
from kernelwright.authors.rewriter.saturate import Rewritten
from kernelwright.authors.rewriter.stacking import stacked
from kernelwright.authors.rewriter.terms import Term

LAUNCHES = MACHINES["cuda"]


def stack(graph: Graph, machine: Machine = LAUNCHES) -> Rewritten:
    cost = cost_of(graph, machine)
    return stacked(Rewritten(graph, cost, cost, (), 0, 0, True), machine)


def projection(draw: Any, s: Sketch, x: Term) -> Term:
    out = draw(st.integers(1, 4))
    bias = [s.weight(out)] if draw(st.booleans()) else []
    return s.make("linear", x, s.weight(out, x.shape[-1]), *bias)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_projections_of_one_input_become_one(data: st.DataObject) -> None:
    s = Sketch()
    x = s.input(*data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)), data.draw(st.integers(1, 5)))
    before = s.make("tanh", x) if data.draw(st.booleans()) else x
    parts = [projection(data.draw, s, before) for _ in range(data.draw(st.integers(2, 4)))]
    gated = s.make("sigmoid", parts[0])
    later = [s.make("tanh", projection(data.draw, s, gated)), *parts[1:]]
    graph = s.graph(*later)
    found = stack(graph)
    assert "stack-projections" in found.applied and found.cost < cost_of(graph, LAUNCHES)
    assert sum(node.op == "linear" for node in found.graph.nodes) == 2
    assert_same(run_sketch(s, found.graph), run_sketch(s, graph))


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_equal_products_become_one_batch(data: st.DataObject) -> None:
    s = Sketch()
    rows, inner, columns = (data.draw(st.integers(1, 4)) for _ in range(3))
    shared = s.input(inner, columns)
    count = data.draw(st.integers(8, 9))
    pairs = [
        (s.input(rows, inner), shared if data.draw(st.booleans()) else s.input(inner, columns)) for _ in range(count)
    ]
    products = [s.make("relu", s.make("matmul", a, b)) for a, b in pairs]
    graph = s.graph(*products)
    found = stack(graph)
    assert "batch-products" in found.applied and found.cost < cost_of(graph, LAUNCHES)
    assert sum(node.op == "matmul" for node in found.graph.nodes) == 1
    assert_same(run_sketch(s, found.graph), run_sketch(s, graph))


def test_products_that_need_each_other_stay_apart() -> None:
    s = Sketch()
    y = s.input(3, 3)
    for _ in range(6):
        y = s.make("matmul", y, s.input(3, 3))
    assert stack(s.graph(y)).applied == ()


@pytest.mark.parametrize("kind", ["inputs differ", "weights are inputs"])
def test_projections_that_are_not_stacked(kind: str) -> None:
    s = Sketch()
    x = s.input(8, 64)
    operands = [s.input(4, 64) if kind == "weights are inputs" else s.weight(4, 64) for _ in range(2)]
    second = s.input(8, 64) if kind == "inputs differ" else x
    graph = s.graph(s.make("linear", x, operands[0]), s.make("linear", second, operands[1]))
    assert stack(graph).graph == graph
    assert stack(graph).applied == ()


@pytest.mark.parametrize("count", [2, 12])
def test_joining_large_matrices_costs_more_than_launching_products(count: int) -> None:
    s = Sketch()
    graph = s.graph(*(s.make("matmul", s.input(64, 64), s.input(64, 64)) for _ in range(count)))
    assert stack(graph, Machine(flops_per_byte=1e6, call_bytes=1000)).applied == ()
