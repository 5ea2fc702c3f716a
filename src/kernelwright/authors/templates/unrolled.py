"""Plain recurrent layers that are written as a loop, as the one operator that means the same.

A step is ``tanh`` (or ``relu``) of a linear layer of an input's part and the state before, side by side. What reads the
states goes on reading them; where a linear layer of each is stacked, that becomes one linear layer of all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernelwright.authors.graph.ir import SCALAR, Graph, Node, Slot, TensorType, TupleType, attributes

ACTIVATIONS = {"tanh": "aten.rnn_tanh.input", "relu": "aten.rnn_relu.input"}


@dataclass(frozen=True, slots=True)
class _Step:
    source: int
    """The input of all steps, [steps, images, features]."""
    time: int
    before: int
    layer: tuple[int, ...]
    """The linear layer's weight and bias."""
    activation: str


@dataclass(frozen=True, slots=True)
class Loop:
    """All steps of one layer: ``states`` are the positions of what each leaves."""

    first: _Step
    states: tuple[int, ...]


def loops(graph: Graph) -> list[Loop]:
    """Chains of steps over the whole of an input's first axis, from its first part to its last."""
    steps = {position: step for position in range(len(graph.nodes)) if (step := _step(graph, position)) is not None}
    following = {step.before: position for position, step in steps.items() if step.time > 0}
    found: list[Loop] = []
    for position, first in steps.items():
        if first.time > 0:
            continue
        states = [position]
        while (state := following.get(states[-1])) is not None:
            expected = _Step(first.source, len(states), states[-1], first.layer, first.activation)
            if steps[state] != expected:
                break
            states.append(state)
        if len(states) == _shape(graph, first.source)[0]:
            found.append(Loop(first, tuple(states)))
    return found


def _step(graph: Graph, position: int) -> _Step | None:
    node = graph.nodes[position]
    linear = graph.nodes[node.args[0]] if node.op in ACTIVATIONS else None
    if linear is None or linear.op != "linear" or not isinstance(node.type, TensorType) or node.type.rank != 2:
        return None
    joined = _joined(graph.nodes[linear.args[0]])
    part = graph.nodes[joined[0]] if joined else None
    if joined is None or part is None or _target(part) != "aten.select.int":
        return None
    _, axis, time = part.attr["args"]
    source, before = part.args[0], joined[1]
    if axis != 0 or len(_shape(graph, source)) != 3 or graph.nodes[before].type != node.type:
        return None
    return _Step(source, time, before, linear.args[1:], node.op)


def _joined(node: Node) -> tuple[int, int] | None:
    """The two tensors that lie side by side."""
    rows = isinstance(node.type, TensorType) and node.type.rank == 2 and len(node.args) == 2
    along = node.attr["dim"] if node.op == "cat" else None
    if _target(node) == "aten.cat.default" and len(node.attr["args"]) == 2:
        along = node.attr["args"][1] if node.attr["args"][0] == (Slot(0), Slot(1)) else None
    return (node.args[0], node.args[1]) if rows and along in (1, -1) else None


def rolled(graph: Graph) -> Graph:
    """The graph with one recurrent operator in the place of each loop."""
    found = {loop.states[0]: loop for loop in loops(graph)}
    nodes: list[Node] = []
    at: dict[int, int] = {}
    every: dict[tuple[int, ...], int] = {}
    for position, node in enumerate(graph.nodes):
        if position in found:
            loop = found[position]
            out = every[loop.states] = _operator(nodes, at, graph, loop)
            for time, state in enumerate(loop.states):
                template: dict[str, Any] = {"target": "aten.select.int", "args": (Slot(0), 0, time), "kwargs": ()}
                nodes.append(Node("opaque", (out,), attributes(**template), node.type))
                at[state] = len(nodes) - 1
        elif (whole := _stacked(graph, node, every)) is not None:
            states, layer = whole
            at[position] = every[states]
            if layer:
                nodes.append(Node("linear", (every[states], *(at[a] for a in layer)), (), node.type))
                at[position] = len(nodes) - 1
        elif position not in at:
            nodes.append(Node(node.op, tuple(at[a] for a in node.args), node.attrs, node.type))
            at[position] = len(nodes) - 1
    return Graph(tuple(nodes), tuple(at[o] for o in graph.outputs)).pruned() if found else graph


def _operator(nodes: list[Node], at: dict[int, int], graph: Graph, loop: Loop) -> int:
    """The operator's nodes; the position of its output."""
    steps, images, features = _shape(graph, loop.first.source)
    hidden = _shape(graph, loop.states[0])[1]

    def add(op: str, operands: Sequence[int], type_: TensorType | TupleType, **attrs: Any) -> int:
        nodes.append(Node(op, tuple(operands), attributes(**attrs), type_))
        return len(nodes) - 1

    given = graph.nodes[loop.first.source].type
    assert isinstance(given, TensorType)

    def typed(*shape: int) -> TensorType:
        return TensorType(shape, given.dtype)

    weight, *bias = (at[a] for a in loop.first.layer)
    start = add("reshape", (at[loop.first.before],), typed(1, images, hidden), shape=(1, images, hidden))
    outer = add("narrow", (weight,), typed(hidden, features), dim=1, start=0, length=features)
    inner = add("narrow", (weight,), typed(hidden, hidden), dim=1, start=features, length=hidden)
    biases = bias
    if bias:  # the operator adds two: halves of the one
        half = add("const", (), TensorType((), SCALAR), value=0.5)
        biases = [add("mul", (*bias, half), typed(hidden))] * 2
    tensors = (at[loop.first.source], start, outer, inner, *biases)
    parameters = tuple(Slot(k) for k in range(2, len(tensors)))
    last, all_ = typed(1, images, hidden), typed(steps, images, hidden)
    whole = add(
        "opaque", tensors, TupleType((all_, last)), target=ACTIVATIONS[loop.first.activation], kwargs=(),
        args=(Slot(0), Slot(1), parameters, bool(bias), 1, 0.0, False, False, False),
    )  # fmt: skip
    return add("getitem", (whole,), all_, index=0)


def _stacked(
    graph: Graph, node: Node, known: dict[tuple[int, ...], int]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The states of a loop that this stacks, and the linear layer that each goes through before."""
    if _target(node) != "aten.stack.default" or node.attr["kwargs"]:
        return None
    slots, *axis = node.attr["args"]
    if slots != tuple(Slot(k) for k in range(len(node.args))) or axis not in ([], [0]):
        return None
    if node.args in known:
        return node.args, ()
    linears = [graph.nodes[a] for a in node.args]
    layers = {linear.args[1:] for linear in linears}
    states = tuple(linear.args[0] for linear in linears if linear.op == "linear")
    return (states, layers.pop()) if states in known and len(states) == len(linears) and len(layers) == 1 else None


def _target(node: Node) -> str | None:
    return node.attr["target"] if node.op == "opaque" else None


def _shape(graph: Graph, position: int) -> tuple[int, ...]:
    type_ = graph.nodes[position].type
    return type_.shape if isinstance(type_, TensorType) else ()
