"""Several products at once: what no rule on one value can find, because each of them alone would only lose.

Runs on the graph that saturation chose. A group is stacked where that lowers the estimate: where launches, or reading
the same input again and again, are what the products cost. Imports no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kernelwright.authors.graph.ir import Graph, Node, TensorType, attributes
from kernelwright.authors.graph.ops import VOCABULARY
from kernelwright.authors.rewriter.cost import Machine, cost_of
from kernelwright.authors.rewriter.saturate import Rewritten


@dataclass(frozen=True, slots=True)
class Stacking:
    """A way to stack products: name, proof and side condition, as a rule has them."""

    name: str
    found_at: str
    proof: str
    condition: str


PROJECTIONS = Stacking(
    "stack-projections",
    "linear(x, v), linear(x, w), …",
    "rows of one matrix are independent: (V; W)·x holds V·x above W·x",
    "one x, weight-only weights of one dtype; the estimate falls",
)
PRODUCTS = Stacking(
    "batch-products",
    "matmul(a, b), matmul(c, d), …",
    "products of equal shapes side by side are one batched product",
    "matrices of equal shapes and one dtype, none needs another's result; the estimate falls",
)
STACKINGS = (PROJECTIONS, PRODUCTS)


def stacked(found: Rewritten, machine: Machine) -> Rewritten:
    """The same with products stacked where that lowers the estimate."""
    graph, cost, applied = found.graph, found.cost, list(found.applied)
    for how in STACKINGS:
        for members in _groups(graph, how):
            tried = _stack(graph, how, members)
            price = cost_of(tried, machine)
            if price < cost:
                graph, cost = tried, price
                applied += [] if how.name in applied else [how.name]
                return stacked(replace(found, graph=graph, cost=cost, applied=tuple(applied)), machine)
    return replace(found, graph=graph, cost=cost, applied=tuple(applied))


def _groups(graph: Graph, how: Stacking) -> list[list[int]]:
    """Positions that may be stacked with each other, two or more at a time."""
    live = graph.live()
    levels = _levels(graph, live)
    found: dict[Any, list[int]] = {}
    for p, node in enumerate(graph.nodes):
        types = tuple(graph.nodes[a].type for a in node.args)
        if not live[p] or not isinstance(node.type, TensorType) or not node.type.floating:
            continue
        if how is PROJECTIONS and node.op == "linear" and not any(live[a] for a in node.args[1:]):
            found.setdefault((node.args[0], node.type.dtype), []).append(p)
        elif how is PRODUCTS and node.op == "matmul" and all(isinstance(t, TensorType) and t.rank == 2 for t in types):
            found.setdefault((levels[p], types), []).append(p)
    return [members for members in found.values() if len(members) > 1]


def _levels(graph: Graph, live: Sequence[bool]) -> list[int]:
    """Per node the longest way down to an input, counted in live nodes: two of one level do not need each other."""
    levels: list[int] = []
    for p, node in enumerate(graph.nodes):
        levels.append(1 + max((levels[a] for a in node.args), default=0) if live[p] else 0)
    return levels


class _Rebuilt:
    """The new graph: weight-only nodes first, then live ones by level, so that what is stacked has its arguments."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.place: dict[int, int] = {}

    def copy(self, p: int) -> None:
        node = self.graph.nodes[p]
        self.place[p] = len(self.nodes)
        self.nodes.append(Node(node.op, tuple(self.place[a] for a in node.args), node.attrs, node.type))

    def make(self, op: str, *args: int, **attrs: Any) -> int:
        types = [self.nodes[a].type for a in args]
        packed = attributes(**attrs)
        self.nodes.append(Node(op, args, packed, VOCABULARY[op].infer(dict(packed), types)))  # type: ignore[arg-type]
        return len(self.nodes) - 1

    def zeros(self, size: int, dtype: str) -> int:
        self.nodes.append(Node("full", (), attributes(value=0.0), TensorType((size,), dtype)))
        return len(self.nodes) - 1


def _stack(graph: Graph, how: Stacking, members: Sequence[int]) -> Graph:
    """The graph with these products stacked."""
    live = graph.live()
    levels = _levels(graph, live)
    made = _Rebuilt(graph)
    noted = -1
    for p in sorted(range(len(graph.nodes)), key=lambda p: (levels[p], p)):
        if p not in members:
            made.copy(p)
        elif p == members[0]:
            noted = _projections(made, members) if how is PROJECTIONS else _products(made, members)
    notes = [(made.place[p], text) for p, text in graph.notes if p not in members]
    outputs = tuple(made.place[o] for o in graph.outputs)
    return Graph(tuple(made.nodes), outputs, (*notes, (noted, how.name)))


def _projections(made: _Rebuilt, members: Sequence[int]) -> int:
    """One linear layer for all; each member becomes a part of its features. Answers with the layer's position."""
    nodes = [made.graph.nodes[p] for p in members]
    weights = [made.place[node.args[1]] for node in nodes]
    sizes = [made.nodes[w].type.shape[0] for w in weights]  # type: ignore[union-attr]
    operands = [made.place[nodes[0].args[0]], made.make("cat", *weights, dim=0)]
    if any(len(node.args) == 3 for node in nodes):
        dtype = nodes[0].type.dtype  # type: ignore[union-attr]
        biases = [
            made.place[node.args[2]] if len(node.args) == 3 else made.zeros(size, dtype)
            for node, size in zip(nodes, sizes, strict=True)
        ]
        operands.append(made.make("cat", *biases, dim=0))
    whole = made.make("linear", *operands)
    start = 0
    for p, size in zip(members, sizes, strict=True):
        axis = len(made.nodes[whole].type.shape) - 1  # type: ignore[union-attr]
        made.place[p] = made.make("narrow", whole, dim=axis, start=start, length=size)
        start += size
    return whole


def _products(made: _Rebuilt, members: Sequence[int]) -> int:
    """One batched product for all; each member becomes one matrix of it. Answers with the product's position."""
    sides: list[int] = []
    for side in range(2):
        parts = [made.place[made.graph.nodes[p].args[side]] for p in members]
        shape = made.nodes[parts[0]].type.shape  # type: ignore[union-attr]
        shared = len(set(parts)) == 1  # broadcast, not copied
        layers = [made.make("reshape", part, shape=(1, *shape)) for part in (parts[:1] if shared else parts)]
        sides.append(layers[0] if shared else made.make("cat", *layers, dim=0))
    whole = made.make("matmul", *sides)
    shape = made.nodes[whole].type.shape[1:]  # type: ignore[union-attr]
    for k, p in enumerate(members):
        made.place[p] = made.make("reshape", made.make("narrow", whole, dim=0, start=k, length=1), shape=shape)
    return whole
