"""What an operation costs: time at the machine's balance of arithmetic and bandwidth. Imports no torch.

The unit is the time to move one byte. Absolute numbers do not matter, only which of two equal graphs is cheaper; the
judge measures the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2

from kernelwright.authors.graph import einsum
from kernelwright.authors.graph.ir import Graph, Node, TensorType, Type
from kernelwright.authors.graph.ops import LEAVES, VOCABULARY
from kernelwright.schema import DeviceLimits


@dataclass(frozen=True, slots=True)
class Machine:
    """A device's balance."""

    flops_per_byte: float
    """Arithmetic in the time one byte takes, where nothing faster is known for the operation and its dtype."""
    call_bytes: int
    """Bytes moved in the time of a call."""
    products: tuple[tuple[str, float], ...] = ()
    """Arithmetic per byte of matrix products, by dtype."""
    convolutions: tuple[tuple[str, float], ...] = ()
    """The same of convolutions that do not split their channels into groups."""
    bias_is_a_pass: bool = False
    """A convolution's bias is added by a kernel of its own, which reads and writes the whole result."""

    def rate(self, node: Node) -> float:
        """Arithmetic per byte of one operation."""
        known: tuple[tuple[str, float], ...] = ()
        if node.op in PRODUCTS:
            known = self.products
        elif node.op == "conv" and node.attr["groups"] == 1:
            known = self.convolutions
        dtype = node.type.dtype if isinstance(node.type, TensorType) else ""
        return dict(known).get(dtype, self.flops_per_byte)


PRODUCTS = frozenset({"linear", "matmul", "matvec", "einsum", "triangular_product", "attention"})

MACHINES = {
    "cpu": Machine(flops_per_byte=8.0, call_bytes=40_000),
    "cuda": Machine(
        flops_per_byte=16.0,
        call_bytes=8_000_000,
        products=(("float32", 16.0), ("float16", 200.0), ("bfloat16", 200.0)),
        convolutions=(("float32", 100.0), ("float16", 200.0), ("bfloat16", 200.0)),
        bias_is_a_pass=True,
    ),
    "mps": Machine(flops_per_byte=20.0, call_bytes=2_000_000),
}
"""Round figures, for where no measurement is at hand: 2 to 8 cores with DDR, a data-centre GPU, an Apple GPU."""


def machine_of(limits: DeviceLimits, platform: str) -> Machine:
    """The balance of a device whose limits were measured.

    On CUDA, PyTorch lets cuDNN compute float32 convolutions in tf32 and cuBLAS nothing of the kind
    (``torch.backends.cudnn.allow_tf32`` and ``torch.backends.cuda.matmul.allow_tf32``), so the two have rates of their
    own. Figures are rounded to two steps per octave: what is proposed must not hang on the noise of a measurement.
    """
    products = {dtype: rounded(rate / limits.bandwidth) for dtype, rate in limits.matmul_flops.items()}
    tf32 = products.pop("tfloat32", None)
    convolutions = products | ({"float32": tf32} if platform == "cuda" and tf32 else {})
    default = MACHINES.get(platform, MACHINES["cpu"])
    return Machine(
        flops_per_byte=products.get("float32", default.flops_per_byte),
        call_bytes=int(rounded(limits.launch_seconds * limits.bandwidth)),
        products=tuple(sorted(products.items())),
        convolutions=tuple(sorted(convolutions.items())),
        bias_is_a_pass=default.bias_is_a_pass,
    )


def rounded(value: float) -> float:
    """The nearest power of the square root of two."""
    return 2.0 ** (round(2 * log2(value)) / 2) if value > 0 else value


OPAQUE_VIEWS = frozenset(f"aten.{name}" for name in ("select.int", "slice.Tensor", "split.Tensor", "unbind.int"))
"""Calls outside the vocabulary that move nothing."""

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
    if node.op == "einsum" and len(args) > 2:
        return sum(
            price(step, sides, machine)
            for step, sides in einsum.steps(node, [a for a in args if isinstance(a, TensorType)])
        )
    op = VOCABULARY.get(node.op)
    if (op is not None and op.view) or node.attr.get("target") in OPAQUE_VIEWS:
        return machine.call_bytes // 8  # a view is a call that launches nothing
    moved = node.type.bytes + sum(a.bytes for a in args)
    work = 0.0
    if op is not None and isinstance(node.type, TensorType):
        tensors = [a for a in args if isinstance(a, TensorType)]
        work = op.flops(node.attr, tensors, node.type) / machine.rate(node)
    calls = CALLS[node.op](node) if node.op in CALLS else 1
    if node.op == "conv" and len(args) == 3 and machine.bias_is_a_pass:
        calls += 1
        return calls * machine.call_bytes + 2 * node.type.bytes + int(max(moved, work) + 0.25 * min(moved, work))
    return calls * machine.call_bytes + int(max(moved, work) + 0.25 * min(moved, work))


def cost_of(graph: Graph, machine: Machine) -> int:
    """The cost of a whole graph, weight-only work at (almost) nothing."""
    live = graph.live()
    total = 0
    for position, node in enumerate(graph.nodes):
        args = [graph.nodes[a].type for a in node.args]
        total += price(node, args, machine) if live[position] else WEIGHT_ONLY
    return total
