"""Batch normalisation by known statistics as a scale and a shift, where a kernel takes both along.

Elsewhere it stays one call: as two operations it would be two passes over memory.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

from kernelwright.authors.graph.ir import SCALAR, Graph, Node, TensorType, attributes


def behind(graph: Graph, positions: Collection[int]) -> list[int]:
    """Batch norms that alone read what lies at these positions."""
    reads = _reads(graph)
    return [p for p in _known(graph) if graph.nodes[p].args[0] in positions and reads[graph.nodes[p].args[0]] == 1]


def at(graph: Graph, positions: Collection[int]) -> list[int]:
    """Batch norms among these positions that have one reader."""
    reads = _reads(graph)
    return [p for p in _known(graph) if p in positions and reads[p] == 1]


def _reads(graph: Graph) -> Counter[int]:
    """How often each position is read."""
    return Counter([arg for node in graph.nodes for arg in node.args] + list(graph.outputs))


def _known(graph: Graph) -> list[int]:
    """Batch norms in float32 whose parameters are weights."""
    live = graph.live()
    return [
        p
        for p, node in enumerate(graph.nodes)
        if node.op == "batch_norm" and isinstance(node.type, TensorType) and node.type.dtype == "float32"
        and live[node.args[0]] and not any(live[a] for a in node.args[1:])
    ]  # fmt: skip


def spread(graph: Graph, chosen: Collection[int]) -> Graph:
    """The graph with ``x · scale + shift`` in the place of these batch norms: work on weights alone, and two steps."""
    nodes: list[Node] = []
    place: dict[int, int] = {}

    def add(op: str, operands: tuple[int, ...], type_: TensorType, **attrs: Any) -> int:
        nodes.append(Node(op, operands, attributes(**attrs), type_))
        return len(nodes) - 1

    for position, node in enumerate(graph.nodes):
        if position not in chosen:
            nodes.append(Node(node.op, tuple(place[a] for a in node.args), node.attrs, node.type))
            place[position] = len(nodes) - 1
            continue
        out = node.type
        assert isinstance(out, TensorType)
        x, weight, bias, mean, variance = (place[a] for a in node.args)
        vector = TensorType(out.shape[1:2], out.dtype)
        column = TensorType((*out.shape[1:2], *(1,) * (out.rank - 2)), out.dtype)
        eps = add("const", (), TensorType((), SCALAR), value=node.attr["eps"])
        deviation = add("sqrt", (add("add", (variance, eps), vector),), vector)
        scale = add("div", (weight, deviation), vector)
        shift = add("sub", (bias, add("mul", (mean, scale), vector)), vector)
        scale, shift = (add("reshape", (v,), column, shape=column.shape) for v in (scale, shift))
        place[position] = add("add", (add("mul", (x, scale), out), shift), out)
    return Graph(tuple(nodes), tuple(place[o] for o in graph.outputs))
