"""What an operation costs: time at the machine's balance of arithmetic and bandwidth. Imports no torch.

The unit is the time to move one byte. Absolute numbers do not matter, only which of two equal graphs is cheaper; the
judge measures the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph, Node, TensorType, Type
from kernelwright.authors.graph.ops import LEAVES, VOCABULARY


@dataclass(frozen=True, slots=True)
class Machine:
    """``flops_per_byte``: arithmetic in the time one byte takes. ``call_bytes``: bytes moved in the time of a call."""

    flops_per_byte: float
    call_bytes: int


MACHINES = {
    "cpu": Machine(flops_per_byte=8.0, call_bytes=40_000),
    "cuda": Machine(flops_per_byte=16.0, call_bytes=8_000_000),
    "mps": Machine(flops_per_byte=20.0, call_bytes=2_000_000),
}
"""Round figures: 2 to 8 cores with DDR, a data-centre GPU, an Apple GPU."""

WEIGHT_ONLY = 1
"""Work on weights is done once per load. Not quite nothing, so that the simpler of two ways is taken."""


CALLS: dict[str, Callable[[Node], int]] = {
    "window_sums": lambda node: 2 * len(node.attr["windows"]) + 2,
    "triangular_product": lambda node: 2 * -(-_rows(node) // node.attr["step"]) + 1,
}
"""Calls that the printed helpers make."""


def _rows(node: Node) -> int:
    assert isinstance(node.type, TensorType)
    return node.type.shape[0]


def price(node: Node, args: Sequence[Type], machine: Machine) -> int:
    """The cost of one operation that depends on an input. ``args`` are the types of its arguments."""
    if node.op in LEAVES or node.op in ("getitem", "outputs"):
        return WEIGHT_ONLY
    op = VOCABULARY.get(node.op)
    if op is not None and op.view:
        return machine.call_bytes // 8  # a view is a call that launches nothing
    moved = node.type.bytes + sum(a.bytes for a in args)
    work = 0.0
    if op is not None and isinstance(node.type, TensorType):
        tensors = [a for a in args if isinstance(a, TensorType)]
        work = op.flops(node.attr, tensors, node.type) / machine.flops_per_byte
    calls = CALLS[node.op](node) if node.op in CALLS else 1
    return calls * machine.call_bytes + int(max(moved, work) + 0.25 * min(moved, work))


def cost_of(graph: Graph, machine: Machine) -> int:
    """The cost of a whole graph, weight-only work at (almost) nothing."""
    live = graph.live()
    total = 0
    for position, node in enumerate(graph.nodes):
        args = [graph.nodes[a].type for a in node.args]
        total += price(node, args, machine) if live[position] else WEIGHT_ONLY
    return total
