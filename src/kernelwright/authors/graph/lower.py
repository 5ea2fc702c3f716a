"""From an exported program to a Graph: what the vocabulary knows becomes its operations, the rest stays opaque."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.fx import Node as FxNode

from kernelwright.authors.graph.ir import (
    SCALAR,
    Device,
    Graph,
    Node,
    Slot,
    Symbol,
    TensorType,
    TupleType,
    Type,
    attributes,
)
from kernelwright.authors.graph.ops import VOCABULARY


class LoweringError(ValueError):
    """The program holds something that cannot be printed as plain PyTorch. One line."""


Bound = Mapping[str, Any]
"""The arguments of one call by schema name, defaults filled in; tensors are ``FxNode``."""

Maker = Callable[["Lowering", FxNode, Bound], int | None]
"""Adds the vocabulary's nodes for one call; ``None``: this use of it is outside the vocabulary."""

LAYOUT_SENSITIVE = frozenset({"as_strided", "view_as_complex", "view_as_real", "view.dtype", "resize", "set"})
"""Calls that see strides: in a program with one of them, copies that only change the layout are kept."""


def type_of(value: Any) -> Type:
    """The type of what a traced node returned: a (fake) tensor, or a tuple or list of them."""
    if isinstance(value, torch.Tensor):
        if any(not isinstance(n, int) for n in value.shape):
            raise LoweringError("a shape depends on the data")
        return TensorType(tuple(value.shape), str(value.dtype).removeprefix("torch."))
    if isinstance(value, tuple | list):
        return TupleType(tuple(type_of(v) if isinstance(v, torch.Tensor | tuple | list) else None for v in value))
    raise LoweringError(f"a call returns {type(value).__name__}, not a tensor")


class Lowering:
    """The nodes made so far. ``place`` maps each traced node to its position."""

    def __init__(self, program_nodes: list[FxNode], makers: Mapping[str, Maker]) -> None:
        self.makers = makers
        self.nodes: list[Node] = []
        self.place: dict[FxNode, int] = {}
        self.baked: dict[FxNode, Any] = {}
        self._known: dict[Node, int] = {}
        self.keep_layout = any(_name(n) in LAYOUT_SENSITIVE or _base(n) in LAYOUT_SENSITIVE for n in program_nodes)

    def add(self, node: Node) -> int:
        """The position of this node; equal nodes are one."""
        if node not in self._known:
            self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return self._known[node]

    def leaf(self, op: str, type_: TensorType, **attrs: Any) -> int:
        """An ``input``, ``weight`` or ``const``."""
        return self.add(Node(op, (), attributes(**attrs), type_))

    def arg(self, value: Any) -> int:
        """The position of an operand: a traced tensor, or a number."""
        if isinstance(value, FxNode):
            return self.arg(self.baked[value]) if value in self.baked else self.place[value]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{value!r} is no operand")
        return self.leaf("const", TensorType((), SCALAR), value=value)

    def make(self, op: str, *operands: Any, **attrs: Any) -> int:
        """A vocabulary operation on traced tensors or numbers. ``TypeError`` where its inference refuses."""
        return self.join(op, *(self.arg(o) for o in operands), **attrs)

    def join(self, op: str, *args: int, **attrs: Any) -> int:
        """As ``make``, on positions."""
        packed = attributes(**attrs)
        return self.add(Node(op, args, packed, VOCABULARY[op].infer(dict(packed), [self._tensor(a) for a in args])))

    def type(self, value: Any) -> TensorType:
        """The type of a traced operand. ``TypeError`` if it is no tensor."""
        if not isinstance(value, FxNode) or value not in self.place:
            raise TypeError(f"{value!r} is no tensor")
        return self._tensor(self.place[value])

    def _tensor(self, position: int) -> TensorType:
        found = self.nodes[position].type
        if not isinstance(found, TensorType):
            raise TypeError("a tuple is no operand")
        return found

    def lower(self, node: FxNode) -> int | None:
        """Adds what one call means. ``None`` for a check that has no result."""
        if node.target is operator.getitem:
            source, index = node.args
            return self._part(source, int(index), node)  # type: ignore[arg-type]
        if not isinstance(node.target, torch._ops.OpOverload):
            raise LoweringError(f"{node.target} is no tensor operation")
        if _base(node).startswith(("_assert", "sym_constrain", "_check")):
            return None
        bound = bind(node)
        maker = self.makers.get(_base(node))
        if maker is not None:
            try:
                made = maker(self, node, bound)
            except TypeError:
                made = None  # a use of the call that the vocabulary does not cover: kept word for word
            if made is not None and self.nodes[made].type == _wanted_type(node):
                return made
        return self._opaque(node)

    def _part(self, source: FxNode, index: int, node: FxNode) -> int:
        position = self.place[source]
        if not isinstance(self.nodes[position].type, TupleType):
            return position  # the call was lowered to its only used part
        return self.add(Node("getitem", (position,), attributes(index=index), type_of(node.meta["val"])))

    def _opaque(self, node: FxNode) -> int:
        target = node.target
        assert isinstance(target, torch._ops.OpOverload)
        if target.namespace not in ("aten", "prims"):
            raise LoweringError(f"{target} needs a package of its own")
        operands: list[int] = []

        def template(value: Any) -> Any:
            if isinstance(value, FxNode):
                if value in self.baked:
                    return template(self.baked[value])
                operands.append(self.place[value])
                return Slot(len(operands) - 1)
            if isinstance(value, list | tuple):
                return tuple(template(v) for v in value)
            if isinstance(value, torch.device):
                return Device()
            if isinstance(value, torch.dtype | torch.layout | torch.memory_format):
                return Symbol(str(value))
            if value is None or isinstance(value, bool | int | float | complex | str):
                return value
            raise LoweringError(f"{target} takes a {type(value).__name__}")

        args = template(node.args)
        kwargs = tuple((k, template(v)) for k, v in node.kwargs.items() if not _is_default_kwarg(k, v))
        attrs: dict[str, Any] = {"target": str(target), "args": args, "kwargs": kwargs}
        if torch.Tag.nondeterministic_seeded in target.tags and not _switched_off(bind(node)):
            attrs["impure"] = len(self.nodes)  # every draw of random numbers is its own
        return self.add(Node("opaque", tuple(operands), attributes(**attrs), type_of(node.meta["val"])))


def lower_graph(
    nodes: list[FxNode], leaves: Callable[[Lowering, FxNode], None], makers: Mapping[str, Maker]
) -> tuple[Graph, tuple[Any, ...]]:
    """The Graph of a traced program, and its outputs: slots into ``Graph.outputs``, or plain Python values.

    ``leaves`` places each placeholder; ``makers`` is the vocabulary by ATen name. Raises ``LoweringError``.
    """
    low = Lowering(nodes, makers)
    results: tuple[Any, ...] = ()
    outputs: list[int] = []
    for node in nodes:
        if node.op == "placeholder":
            leaves(low, node)
        elif node.op == "call_function":
            position = low.lower(node)
            if position is not None:
                low.place[node] = position
        elif node.op == "output":
            found: list[Any] = []
            for value in node.args[0]:  # type: ignore[union-attr]
                if isinstance(value, FxNode) and value not in low.baked:
                    found.append(Slot(len(outputs)))
                    outputs.append(low.place[value])
                else:
                    found.append(low.baked[value] if isinstance(value, FxNode) else value)
            results = tuple(found)
        else:
            raise LoweringError(f"{node.op} {node.target} is no tensor operation")
    return Graph(tuple(low.nodes), tuple(outputs)), results


def bind(node: FxNode) -> dict[str, Any]:
    """The call's arguments by schema name, defaults filled in."""
    target = node.target
    assert isinstance(target, torch._ops.OpOverload)
    bound: dict[str, Any] = {}
    for position, argument in enumerate(target._schema.arguments):
        if position < len(node.args):
            bound[argument.name] = node.args[position]
        else:
            bound[argument.name] = node.kwargs.get(argument.name, argument.default_value)
    return bound


def used_parts(node: FxNode) -> set[int]:
    """Which results of a call with several are used."""
    return {int(user.args[1]) for user in node.users if user.target is operator.getitem and user.users}  # type: ignore[arg-type]


def _wanted_type(node: FxNode) -> Type:
    """The type of what is used of the result: the first part alone, where no other is."""
    value = node.meta["val"]
    return type_of(value[0] if isinstance(value, tuple | list) and used_parts(node) <= {0} else value)


def _switched_off(bound: Bound) -> bool:
    """Dropout and the like outside training draw nothing."""
    return bound.get("train") is False or bound.get("training") is False or bound.get("dropout_p") == 0.0


def _is_default_kwarg(key: str, value: Any) -> bool:
    return value is None or (key == "pin_memory" and not value) or (key == "layout" and value is torch.strided)


def _base(node: FxNode) -> str:
    """``relu`` for ``aten.relu.default``; in-place variants are gone after functionalisation."""
    target = node.target
    return target._schema.name.split("::")[-1] if isinstance(target, torch._ops.OpOverload) else ""


def _name(node: FxNode) -> str:
    return str(node.target).removeprefix("aten.")
