"""Where a reduction or a normalisation becomes one kernel (or two) with the pointwise work before and after it."""

from collections.abc import Mapping, Sequence
from typing import Any

from kernelwright.authors.graph.ir import Graph, Node, TensorType
from kernelwright.authors.graph.ops import normalised_axes
from kernelwright.authors.templates.epilogue import EXPRESSIONS, prologue, users_of
from kernelwright.authors.templates.kinds import KINDS, Kind, Reduction
from kernelwright.authors.templates.losses import loss_kind, same_types
from kernelwright.authors.templates.placing import with_calls
from kernelwright.authors.templates.reduction_text import load, load_of_rows, text
from kernelwright.authors.templates.rows import Rows

FEWEST_ELEMENTS = 1 << 20
"""Below this PyTorch's own kernels are over as soon as they are launched."""
FURTHEST = 1 << 31
"""Offsets inside a row are 32-bit integers."""


def find(graph: Graph) -> list[Reduction]:
    """Every float32 reduction that is large enough, over axes that lie side by side."""
    live = graph.live()
    users = users_of(graph)
    taken: set[int] = set()
    found: list[Reduction] = []
    for position in range(len(graph.nodes)):
        started = _started(graph, position) if live[position] and position not in taken else None
        if started is not None:
            reduction = _Search(graph, position, *started, live, users, taken).found()
            found.append(reduction)
            taken |= {position, *reduction.before, *reduction.middle, *reduction.after}
    return found


def _started(graph: Graph, position: int) -> tuple[Kind, Rows] | None:
    """What this node reduces, and how its rows lie; ``None`` where it is no reduction for these kernels."""
    node = graph.nodes[position]
    types = [graph.nodes[a].type for a in node.args]
    shapes = [t.shape for t in (*types, node.type) if isinstance(t, TensorType) and t.dtype == "float32"]
    if len(shapes) != len(types) + 1 or not types:
        return None
    shape = shapes[0]
    named = _named(node, shape)
    kind = loss_kind(node.attr) if node.op == "opaque" and same_types(graph, node) else None
    if named is None and kind is None:
        return None
    name, axes = named or ("", tuple(range(len(shape))))
    split = None
    refined = shape
    if name == "group_norm":
        size = shape[1] // node.attr["groups"]
        split = (1, size)
        refined = (shape[0], node.attr["groups"], size, *shape[2:])
        axes = tuple(range(2, len(refined)))
    if not axes or axes != tuple(range(axes[0], axes[-1] + 1)):
        return None
    rows = Rows(refined[: axes[0]], refined[axes[0] : axes[-1] + 1], refined[axes[-1] + 1 :], split)
    _, length, inner = rows.sizes
    if rows.elements < FEWEST_ELEMENTS or length < 2 or length * inner >= FURTHEST:
        return None
    return kind or KINDS[name], rows


def _named(node: Node, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]] | None:
    """The kind of a node, and the axes of ``shape`` that it reduces."""
    attr = node.attr
    if node.op == "opaque":
        return _vector_norm(attr, len(shape))
    if node.op not in KINDS:
        return None
    if node.op in ("softmax", "log_softmax"):
        return node.op, (attr["dim"],)
    return node.op, attr["dims"] if "dims" in attr else normalised_axes(node.op, attr, shape)


def _vector_norm(attr: Mapping[str, Any], rank: int) -> tuple[str, tuple[int, ...]] | None:
    """``linalg.vector_norm(x, order, axes, keepdim)`` of order 1 or 2."""
    if attr["target"] != "aten.linalg_vector_norm.default" or attr["kwargs"]:
        return None
    given = dict(zip(("order", "dims"), attr["args"][1:3], strict=False))
    order, dims = given.get("order", 2), given.get("dims")
    if order not in (1, 2):
        return None
    axes = (dims,) if isinstance(dims, int) else tuple(dims or range(rank))
    return f"norm_{order:.0f}", tuple(sorted(d % rank for d in axes))


def place(graph: Graph, found: Sequence[Reduction]) -> tuple[Graph, str]:
    """The graph with calls in the reductions' places, and the text of the functions that these call."""
    written = [text(graph, reduction, number) for number, reduction in enumerate(found, start=1)]
    calls = {
        reduction.result: (f"reduction_{number}", operands)
        for number, (reduction, (operands, _)) in enumerate(zip(found, written, strict=True), start=1)
    }
    texts = dict.fromkeys(part for _, parts in written for part in parts)
    return with_calls(graph, calls), "\n\n\n".join(texts)


class _Search:
    """What can be computed in the kernel of one reduction."""

    def __init__(
        self, graph: Graph, node: int, kind: Kind, rows: Rows, live: Sequence[bool], users: Sequence[set[int]],
        taken: set[int],
    ) -> None:  # fmt: skip
        self.graph, self.node, self.kind, self.rows = graph, node, kind, rows
        self.live, self.users, self.taken = live, users, taken
        source = graph.nodes[graph.nodes[node].args[0]].type
        assert isinstance(source, TensorType)
        self.full = source
        skipped = len(rows.outer)
        self.kept = tuple(
            1 if skipped <= axis < skipped + len(rows.length) else n for axis, n in enumerate(source.shape)
        )
        """The shape of one value for each row that broadcasts with the elements."""

    def found(self) -> Reduction:
        levels = self._levels()
        for result in sorted(levels, reverse=True):
            chain = self._below([result], set(levels))
            if self.node in chain and all(self.users[p] <= chain for p in chain if p != result):
                break
        else:
            raise AssertionError("the reduction alone is always such a run")
        before = prologue(chain, self.users, self._free)
        needed = self._below(self.graph.nodes[self.node].args, before)
        full = {p for p in chain if levels[p]} - {self.node} | (before - needed)
        return Reduction(
            self.node, self.kind, self.rows, tuple(sorted(needed)),
            tuple(sorted(p for p in chain if not levels[p] and p != self.node)), tuple(sorted(full)), result,
        )  # fmt: skip

    def _levels(self) -> dict[int, bool]:
        """What needs nothing else that comes from the reduction: ``True`` for elements, ``False`` for rows."""
        levels = {self.node: self.kind.normal is not None}
        tainted = {self.node}
        for position in range(self.node + 1, len(self.graph.nodes)):
            node = self.graph.nodes[position]
            if not tainted & set(node.args):
                continue
            if position not in self.taken:
                if node.op in EXPRESSIONS and node.type == self.full:
                    if all(self._element(a, levels, tainted) for a in node.args):
                        levels[position] = True
                elif self._rowwise(node, levels, tainted):
                    levels[position] = False
            tainted.add(position)
        return levels

    def _element(self, arg: int, levels: Mapping[int, bool], tainted: set[int]) -> bool:
        if arg in levels:
            return levels[arg] or self._padded(arg) == self.kept
        return arg not in tainted and self.readable(arg)

    def _rowwise(self, node: Node, levels: Mapping[int, bool], tainted: set[int]) -> bool:
        """Pointwise work on one value for each row."""
        type_ = node.type
        if not isinstance(type_, TensorType) or type_.dtype != "float32":
            return False
        inside = [a for a in node.args if a in levels and not levels[a]]
        if node.op == "reshape":
            return len(inside) == 1
        shapes = {t.shape for t in (self.graph.nodes[a].type for a in inside) if isinstance(t, TensorType)}
        others = [a for a in node.args if a not in inside]
        return (
            node.op in EXPRESSIONS
            and shapes == {type_.shape}
            and not tainted & set(others)
            and all(self.graph.nodes[a].op == "const" or self.load_of_rows(a, type_.shape, "") for a in others)
        )

    def _below(self, results: Sequence[int], inside: set[int]) -> set[int]:
        chain = {r for r in results if r in inside}
        stack = list(chain)
        while stack:
            for arg in self.graph.nodes[stack.pop()].args:
                if arg in inside and arg not in chain:
                    chain.add(arg)
                    stack.append(arg)
        return chain

    def _free(self, position: int) -> bool:
        """Element by element work on what blocks can read."""
        node = self.graph.nodes[position]
        fits = node.op in EXPRESSIONS and node.type == self.full and self.live[position] and position not in self.taken
        return fits and all(self.readable(a) for a in node.args)

    def readable(self, operand: int) -> bool:
        """A number, or a tensor of which a block can read its part."""
        return (
            self.graph.nodes[operand].op == "const" or load(self.graph, self.rows, self.full, operand, "") is not None
        )

    def load_of_rows(self, operand: int, shape: tuple[int, ...], name: str) -> str | None:
        return load_of_rows(self.graph, self.rows, shape, self.kept, operand, name)

    def _padded(self, position: int) -> tuple[int, ...]:
        type_ = self.graph.nodes[position].type
        return (1,) * (self.full.rank - type_.rank) + type_.shape if isinstance(type_, TensorType) else ()
