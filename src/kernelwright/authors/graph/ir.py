"""The graph that the authors share: typed, static in shape, in topological order. Imports no torch.

A node is an operation with attributes and tensor arguments. Operations of the vocabulary (``ops.py``) are understood by
the rewriter; everything else is ``opaque``: a call that is kept word for word. Leaves are ``input``, ``weight`` (any
parameter, buffer or constant that the module owns), ``const`` (a Python number) and ``full`` (a tensor of one value).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

ITEM_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
}
FLOATS = frozenset({"float64", "float32", "float16", "bfloat16"})
SCALAR = "scalar"
"""The dtype of ``const``: a Python number, which never widens the tensor it meets."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape (sizes in elements) and dtype (``float32`` …) of one tensor."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * ITEM_BYTES.get(self.dtype, 8)

    @property
    def floating(self) -> bool:
        return self.dtype in FLOATS


@dataclass(frozen=True, slots=True)
class TupleType:
    """What an operation with several results returns; ``None`` where a part is no tensor."""

    parts: "tuple[Type | None, ...]"

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts if part is not None)


Type = TensorType | TupleType


@dataclass(frozen=True, slots=True)
class Slot:
    """Inside a template: the place of the argument (or output) with this position."""

    position: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """Inside a template: text that is printed as it is, such as ``torch.float32``."""

    text: str


@dataclass(frozen=True, slots=True)
class Device:
    """Inside a template: the device that the module works on."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. ``args`` are positions in ``Graph.nodes``; ``attrs`` are sorted by name and hashable."""

    op: str
    args: tuple[int, ...]
    attrs: tuple[tuple[str, Any], ...]
    type: Type

    @property
    def attr(self) -> dict[str, Any]:
        return dict(self.attrs)


def attributes(**attrs: Any) -> tuple[tuple[str, Any], ...]:
    """Attributes in the one order that makes equal nodes equal."""
    return tuple(sorted(attrs.items()))


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in topological order; ``outputs`` are positions. ``notes`` are the comments printed above a node's line."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    notes: tuple[tuple[int, str], ...] = ()

    def live(self) -> list[bool]:
        """Per node: does its value depend on an input (or on chance)? What does not is weight-only work."""
        live: list[bool] = []
        for node in self.nodes:
            own = node.op == "input" or bool(node.attr.get("impure"))
            live.append(own or any(live[a] for a in node.args))
        return live

    def needed(self) -> list[bool]:
        """Per node: does an output need it?"""
        needed = [False] * len(self.nodes)
        for out in self.outputs:
            needed[out] = True
        for position in range(len(self.nodes) - 1, -1, -1):
            if needed[position]:
                for arg in self.nodes[position].args:
                    needed[arg] = True
        return needed

    def pruned(self) -> "Graph":
        """The same graph without the nodes that no output needs."""
        needed = self.needed()
        place: dict[int, int] = {}
        nodes: list[Node] = []
        for position, node in enumerate(self.nodes):
            if needed[position]:
                place[position] = len(nodes)
                nodes.append(Node(node.op, tuple(place[a] for a in node.args), node.attrs, node.type))
        notes = tuple((place[p], text) for p, text in self.notes if p in place)
        return Graph(tuple(nodes), tuple(place[o] for o in self.outputs), notes)


def slots_in(template: Any) -> Iterator[int]:
    """Positions of all slots of a nested template, left to right."""
    if isinstance(template, Slot):
        yield template.position
    elif isinstance(template, tuple):
        for part in template:
            yield from slots_in(part)
