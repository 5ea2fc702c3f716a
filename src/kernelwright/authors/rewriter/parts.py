"""Parts before work: where only a part of a result is used, only that part is computed.

A pass over the whole graph, before saturation: the way from a slice down to the inputs may lead through a hundred
operations, and whether it pays shows only at its end. Imports no torch.
"""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from kernelwright.authors.graph.ir import Graph, Node, TensorType, attributes
from kernelwright.authors.graph.ops import VOCABULARY
from kernelwright.authors.rewriter.cost import Machine, cost_of
from kernelwright.authors.rewriter.pushing import Part, Pushed, part_of_slice, pushed
from kernelwright.authors.rewriter.rule import axis_groups
from kernelwright.authors.rewriter.stacking import Stacking

PARTS = Stacking(
    "part-before-work",
    "narrow(f(x, …))",
    "each element of f's result needs only some elements of its arguments: f of these is that part of f's result",
    "the axis is one along which f works entry by entry, or arranges entries; the estimate falls",
)


def with_parts_first(graph: Graph, machine: Machine) -> tuple[Graph, bool]:
    """The graph with slices taken as early as it pays, and whether any was."""
    best, changed = with_rows_apart(graph.pruned()), False
    cost = cost_of(best, machine)
    position = len(best.nodes) - 1
    while position >= 0:
        tried = _moved(best, position)
        if tried is not None and (lower := cost_of(tried, machine)) < cost:
            best, cost, changed = tried, lower, True
            position = len(best.nodes)
        position -= 1
    return (best, True) if changed and cost < cost_of(graph.pruned(), machine) else (graph, False)


def with_rows_apart(graph: Graph) -> Graph:
    """The graph with linear layers on ``[a, b, features]`` where they were on ``[a·b, features]``, and reshapes merged.

    A part along ``b`` is none of ``a·b``: multi-head attention puts rows together so.
    """
    nodes: list[Node] = []
    place: list[int] = []

    def add(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    def reshaped(source: int, shape: tuple[int, ...]) -> int:
        if nodes[source].op == "reshape":
            (source,) = nodes[source].args
        type_ = nodes[source].type
        assert isinstance(type_, TensorType)
        made = Node("reshape", (source,), attributes(shape=shape), TensorType(shape, type_.dtype))
        return source if type_.shape == shape else add(made)

    for node in graph.nodes:
        args = tuple(place[a] for a in node.args)
        if node.op == "reshape":
            place.append(reshaped(args[0], node.attr["shape"]))
            continue
        rows = _rows(nodes, args[0]) if node.op == "linear" else None
        if rows is None:
            place.append(add(replace(node, args=args)))
            continue
        type_ = node.type
        assert isinstance(type_, TensorType)
        apart = reshaped(args[0], (*rows, nodes[args[0]].type.shape[-1]))  # type: ignore[union-attr]
        out = TensorType((*rows, type_.shape[-1]), type_.dtype)
        place.append(reshaped(add(replace(node, args=(apart, *args[1:]), type=out)), type_.shape))
    notes = tuple((place[p], text) for p, text in graph.notes)
    return Graph(tuple(nodes), tuple(place[o] for o in graph.outputs), notes).pruned()


def _rows(nodes: list[Node], position: int) -> tuple[int, ...] | None:
    """The axes that a reshape has put together in front of the last one, as they were; ``None`` where it has not."""
    view = nodes[position]
    source = nodes[view.args[0]].type if view.op == "reshape" else None
    if not isinstance(view.type, TensorType) or not isinstance(source, TensorType) or view.type.elements == 0:
        return None
    before, after = axis_groups(source.shape, view.type.shape)[-1]
    rows = source.shape[: len(source.shape) - len(before)]
    return rows if after == [view.type.rank - 1] and rows != view.type.shape[:-1] else None


def _slice(graph: Graph, position: int) -> Part | None:
    """The part of its argument that a node shows, where it is a slice."""
    node = graph.nodes[position]
    target = node.attr["target"] if node.op == "opaque" and not node.attr["kwargs"] else ""
    if node.op != "narrow" and target not in ("aten.select.int", "aten.slice.Tensor"):
        return None
    source = graph.nodes[node.args[0]].type
    assert isinstance(source, TensorType)
    if node.op == "narrow":
        part = Part(*(node.attr[key] for key in ("dim", "start", "length")))
    elif target == "aten.select.int":
        _, dim, index = node.attr["args"]
        dim %= source.rank
        part = Part(dim, index % source.shape[dim], 1)
    else:
        found = part_of_slice(node.attr["args"], source.shape)
        if found is None:
            return None
        part = found
    return part if 0 < part.length < source.shape[part.dim] else None


def _moved(graph: Graph, position: int) -> Graph | None:
    """The graph with one slice moved as far towards the inputs as it goes; ``None`` where it cannot move."""
    live = graph.live()
    part = _slice(graph, position) if live[position] else None
    if part is None:
        return None
    source = graph.nodes[position].args[0]
    wanted: defaultdict[int, dict[Part, Pushed | None]] = defaultdict(dict)
    whole = [False] * len(graph.nodes)
    for out in graph.outputs:
        whole[out] = True
    # users come after what they use: at each node it is known what all of them want
    for p in range(len(graph.nodes) - 1, -1, -1):
        if p == position:
            wanted[source][part] = None
            continue
        whole[p] = whole[p] or (bool(wanted[p]) and not live[p])
        for each in wanted[p]:
            wanted[p][each] = None if whole[p] else _pushed(graph, p, each)
        whole[p] = whole[p] or None in wanted[p].values()
        for a in graph.nodes[p].args if whole[p] else ():
            whole[a] = True
        for found in () if whole[p] else wanted[p].values():
            for k, (a, below) in enumerate(zip(graph.nodes[p].args, found.parts, strict=True)):  # type: ignore[union-attr]
                if below is not None:
                    wanted[a].setdefault(below)
                elif found.only in (None, k):  # type: ignore[union-attr]
                    whole[a] = True
    return None if whole[source] else _Rebuilt(graph, position, part, whole, wanted).graph()


def _pushed(graph: Graph, p: int, part: Part) -> Pushed | None:
    types = [graph.nodes[a].type for a in graph.nodes[p].args]
    if not all(isinstance(t, TensorType) for t in types) or not isinstance(graph.nodes[p].type, TensorType):
        return None
    return pushed(graph.nodes[p], types, part)  # type: ignore[arg-type]


class _Rebuilt:
    """The graph with what is wanted whole as it was, and parts of the rest."""

    def __init__(
        self, graph: Graph, position: int, part: Part, whole: list[bool], wanted: dict[int, dict[Part, Pushed | None]]
    ) -> None:
        self.old, self.position, self.part = graph, position, part
        self.nodes: list[Node] = []
        self.place: dict[int, int] = {}
        self.parts: dict[tuple[int, Part], int] = {}
        for p in range(len(graph.nodes)):
            if p == position:
                self._slice(p)
            elif whole[p]:
                node = graph.nodes[p]
                self.place[p] = self._add(replace(node, args=tuple(self.place[a] for a in node.args)))
            for each, found in wanted[p].items():
                self.parts[p, each] = self._part(p, each) if whole[p] or found is None else self._made(p, each, found)

    def graph(self) -> Graph:
        notes = [(self.place[p], text) for p, text in self.old.notes if p in self.place]
        outputs = tuple(self.place[o] for o in self.old.outputs)
        return Graph(tuple(self.nodes), outputs, tuple(notes)).pruned()

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _make(self, op: str, *args: int, **attrs: Any) -> int:
        packed = attributes(**attrs)
        types = [self.nodes[a].type for a in args]
        return self._add(Node(op, args, packed, VOCABULARY[op].infer(dict(packed), types)))  # type: ignore[arg-type]

    def _slice(self, p: int) -> None:
        """In the place of the slice: the part, with its axis dropped where that was done."""
        shape = self.old.nodes[p].type.shape  # type: ignore[union-attr]
        found = self.parts[self.old.nodes[p].args[0], self.part]
        same = self.nodes[found].type == self.old.nodes[p].type
        self.place[p] = found if same else self._make("reshape", found, shape=shape)

    def _part(self, p: int, part: Part) -> int:
        return self._make("narrow", self.place[p], dim=part.dim, start=part.start, length=part.length)

    def _made(self, p: int, part: Part, found: Pushed) -> int:
        node = self.old.nodes[p]
        if found.only is not None:
            below = found.parts[found.only]
            assert below is not None
            return self.parts[node.args[found.only], below]
        args = tuple(
            self.place[a] if below is None else self.parts[a, below]
            for a, below in zip(node.args, found.parts, strict=True)
        )
        attrs = attributes(**(node.attr | dict(found.attrs)))
        type_ = node.type
        assert isinstance(type_, TensorType)
        return self._add(Node(node.op, args, attrs, TensorType(part.of(type_.shape), type_.dtype)))
