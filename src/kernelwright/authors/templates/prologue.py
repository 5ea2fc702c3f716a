"""Pointwise operations in front of a node, as lines that its kernel computes on every element that it reads."""

from collections.abc import Collection
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph, TensorType
from kernelwright.authors.templates.epilogue import EXPRESSIONS, Reads

MOST_SOURCES = 3
"""Tensors of full size that are read in place of one: with more, what is saved is read instead."""


@dataclass(frozen=True, slots=True)
class Prologue:
    """What a kernel does with the elements that it reads."""

    source: int
    """Position of the tensor that is read; the node's argument where nothing stands in front of it."""
    operands: tuple[int, ...]
    """Positions of the other tensors that it reads."""
    lines: tuple[str, ...]
    """Statements that turn the float32 block ``v`` of the source into the argument's, in ``v`` again. They read other
    tensors ``p0``, ``p1`` … of full size at ``spot`` where it ``fits``."""


def prologue(graph: Graph, node: int, reads: Reads, kept: Collection[int]) -> Prologue:
    """The longest run of pointwise work in front of the node's first argument that nobody else reads.

    ``kept``: nodes that stay what they are.
    """
    top = graph.nodes[node].args[0]
    chain = _chain(graph, node, top, kept)
    while chain:
        made = _written(graph, top, sorted(chain), reads)
        if made is not None:
            return made
        chain.discard(min(chain))  # the first node's result is read in place of what it reads
    return Prologue(top, (), ())


def _chain(graph: Graph, node: int, top: int, kept: Collection[int]) -> set[int]:
    """Pointwise work of the argument's shape that is read by itself and the node alone."""
    wanted = graph.nodes[top].type
    users: dict[int, set[int]] = {}
    for position, other in enumerate(graph.nodes):
        for arg in other.args:
            users.setdefault(arg, set()).add(position)
    chain: set[int] = set()
    for position in range(top, -1, -1):
        other = graph.nodes[position]
        hidden = users.get(position, set()) <= chain | {node} and position not in graph.outputs
        reached = position == top or bool(users.get(position, set()) & chain)
        if reached and hidden and position not in kept and other.op in EXPRESSIONS and other.type == wanted:
            chain.add(position)
    return chain


def _written(graph: Graph, top: int, chain: list[int], reads: Reads) -> Prologue | None:
    """``None`` where a tensor cannot be read so, or too many are."""
    shape = graph.nodes[top].type
    assert isinstance(shape, TensorType)
    names: dict[int, str] = {}
    operands: list[int] = []
    lines: list[str] = []
    source: int | None = None
    for position in chain:
        node = graph.nodes[position]
        for arg in node.args:
            type_ = graph.nodes[arg].type
            if arg in names:
                continue
            if graph.nodes[arg].op == "const":
                names[arg] = repr(float(graph.nodes[arg].attr["value"]))
            elif not isinstance(type_, TensorType) or type_.dtype != shape.dtype or type_.rank > shape.rank:
                return None
            elif type_ == shape and source is None:
                source, names[arg] = arg, "v"
            else:
                name = f"p{len(operands)}"
                padded = (1,) * (shape.rank - type_.rank) + type_.shape
                read = reads(shape.shape, padded, f"{name}_pointer")
                if type_.elements == 1:
                    read = f"tl.load({name}_pointer)"
                elif padded == shape.shape:
                    read = f"tl.load({name}_pointer + spot, mask=fits, other=0.0)"
                if read is None:
                    return None
                names[arg] = name
                operands.append(arg)
                lines.append(f"{name} = {read}")
        names[position] = f"v{position}"
        code = EXPRESSIONS[node.op](node.attr, [names[a] for a in node.args])
        lines.append(f"{names[position]} = {code}")
    full = sum(graph.nodes[p].type == shape for p in operands) + 1
    if source is None or full > MOST_SOURCES:
        return None
    return Prologue(source, tuple(operands), (*lines, f"v = {names[top]}"))
