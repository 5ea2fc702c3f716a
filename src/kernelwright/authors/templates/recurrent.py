"""Where a recurrent layer's steps run in one launch, and the text of its kernels.

The projections of all inputs are one product (an ordinary ``linear``, which other templates may take); what is left is
a chain of small products by one matrix, which stays in the registers of as many programs as hold it. Diamos and others,
Persistent RNNs: Stashing Recurrent Weights On-Chip, 2016.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernelwright.authors.graph.ir import Graph, Node, Slot, TensorType, TupleType, attributes
from kernelwright.authors.templates.kernels import definitions

KINDS = {
    "aten.lstm.input": ("lstm", 4),
    "aten.gru.input": ("gru", 3),
    "aten.rnn_tanh.input": ("rnn", 1),
    "aten.rnn_relu.input": ("rnn", 1),
}
"""By operator: the kernel, and how many units' worth of weights each hidden unit has."""
FEWEST_STEPS = 16
MOST_IMAGES = 16
"""Images are unrolled, and each is a product of a matrix by a vector: with more, tensor cores are the better way."""
MOST_PROGRAMS = 128
"""All must run at once; an H100 has 132 multiprocessors."""
FEWEST_UNITS = 4
"""Hidden units of a program: one for each of four warps, which then adds up within itself."""
MOST_REGISTERS = 64
"""Weights that each thread holds, of 255 registers: with 16 warps, 128 registers are all there are for a thread."""
FURTHEST = 1 << 31


@dataclass(frozen=True, slots=True)
class Layer:
    """The shape of one layer's recurrence: layers of one shape share a kernel."""

    kind: str
    relu: bool
    steps: int
    images: int
    hidden: int
    directions: int
    bias: bool

    @property
    def gates(self) -> int:
        return dict(KINDS.values())[self.kind]

    @property
    def rows(self) -> int:
        """Of the weights that a hidden unit has in its program, a power of two."""
        return 1 if self.gates == 1 else 4

    @property
    def units(self) -> int:
        """Of one program, a power of two."""
        units = FEWEST_UNITS
        while -(-self.hidden // units) * self.directions > MOST_PROGRAMS:
            units *= 2
        return units

    @property
    def programs(self) -> int:
        return -(-self.hidden // self.units)

    @property
    def inner(self) -> int:
        return 1 << (self.hidden - 1).bit_length()

    @property
    def warps(self) -> int:
        """As many as hold the weights; 0 where none do."""
        weights = self.rows * self.units * self.inner
        return next((w for w in (4, 8, 16) if weights <= MOST_REGISTERS * 32 * w), 0)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """One call of a recurrent operator, of one or more layers."""

    node: int
    layer: Layer
    source: int
    initial: tuple[int, ...]
    """What the hidden state is at first; an LSTM's cells, too."""
    weights: tuple[tuple[int, ...], ...]
    """By layer and direction: of the input, of the state, and their biases."""
    images_first: bool


def find(graph: Graph) -> list[Recurrence]:
    """Every float32 recurrent operator with few images and many steps whose weights fit into registers."""
    live = graph.live()
    found: list[Recurrence] = []
    for position, node in enumerate(graph.nodes):
        if node.op == "opaque" and node.attr["target"] in KINDS and live[position]:
            recurrence = _recurrence(graph, position)
            users = [n for n in graph.nodes if position in n.args]
            plain = position not in graph.outputs and all(n.op == "getitem" for n in users)
            if recurrence is not None and plain:
                found.append(recurrence)
    return found


def _recurrence(graph: Graph, position: int) -> Recurrence | None:
    node = graph.nodes[position]
    kind, gates = KINDS[node.attr["target"]]
    x, initial, parameters, bias, layers, _, train, both, images_first = node.attr["args"]
    if train or node.attr["kwargs"] or node.attr.get("impure") is not None:
        return None

    def positions(template: Any) -> tuple[int, ...]:
        slots = template if isinstance(template, tuple) else (template,)
        return tuple(node.args[slot.position] for slot in slots if isinstance(slot, Slot))

    directions = 2 if both else 1
    each = 4 if bias else 2
    (source,), starts, flat = positions(x), positions(initial), positions(parameters)
    given = graph.nodes[source].type
    types = [graph.nodes[p].type for p in (source, *starts, *flat)]
    if any(not isinstance(t, TensorType) or t.dtype != "float32" for t in types) or given.rank != 3:
        return None
    first = graph.nodes[starts[0]].type
    if len(flat) != each * layers * directions or first.rank != 3:
        return None  # with projections, each layer has one more
    images, steps = given.shape[:2] if images_first else (given.shape[1], given.shape[0])
    layer = Layer(kind, "relu" in node.attr["target"], steps, images, first.shape[-1], directions, bool(bias))
    near = (steps + 2) * images * directions * gates * layer.hidden < FURTHEST
    if not (near and images <= MOST_IMAGES and steps >= FEWEST_STEPS and layer.warps):
        return None
    weights = tuple(flat[k : k + each] for k in range(0, len(flat), each))
    return Recurrence(position, layer, source, starts, weights, bool(images_first))


def place(graph: Graph, found: Sequence[Recurrence]) -> tuple[Graph, str]:
    """The graph with a projection and a call for each layer, and the text of the functions that these call."""
    inside = {recurrence.node: recurrence for recurrence in found}
    names: dict[Layer, str] = {}
    for recurrence in found:
        names.setdefault(recurrence.layer, f"{recurrence.layer.kind}_{len(names) + 1}")
    nodes: list[Node] = []
    at: dict[int, int] = {}
    parts: dict[int, list[int]] = {}
    for position, node in enumerate(graph.nodes):
        if position in inside:
            parts[position] = _placed(nodes, at, inside[position], names[inside[position].layer])
        elif node.op == "getitem" and node.args[0] in parts:
            at[position] = parts[node.args[0]][node.attr["index"]]
        else:
            nodes.append(Node(node.op, tuple(at[a] for a in node.args), node.attrs, node.type))
            at[position] = len(nodes) - 1
    placed = Graph(tuple(nodes), tuple(at[o] for o in graph.outputs)).pruned()
    kinds = sorted({layer.kind for layer in names})
    texts = [definitions("barrier"), definitions("by_units"), *(definitions(kind) for kind in kinds)]
    return placed, "\n\n\n".join([*texts, *(_launcher(layer, name) for layer, name in names.items())])


def _placed(nodes: list[Node], at: dict[int, int], recurrence: Recurrence, name: str) -> list[int]:
    """The layers' nodes; positions of the output, the last state and an LSTM's last cells."""
    layer = recurrence.layer

    def add(op: str, args: Sequence[int], shape: tuple[int, ...], **attrs: Any) -> int:
        nodes.append(Node(op, tuple(args), attributes(**attrs), TensorType(shape, "float32")))
        return len(nodes) - 1

    def joined(positions: Sequence[int]) -> int:
        """Side by side along the first axis."""
        if len(positions) == 1:
            return positions[0]
        first = _shape(nodes, positions[0])
        rows = sum(_shape(nodes, p)[0] for p in positions)
        return add("cat", positions, (rows, *first[1:]), dim=0)

    both = layer.directions
    wide = both * layer.gates * layer.hidden
    out = (layer.steps, layer.images, both * layer.hidden)
    last = (both, layer.images, layer.hidden)
    layers = len(recurrence.weights) // both
    x, results = at[recurrence.source], list[tuple[int, ...]]()
    for number in range(layers):
        own = recurrence.weights[number * both : (number + 1) * both]
        weight, inner, *biases = (joined([at[p] for p in group]) for group in zip(*own, strict=True))
        if biases and layer.kind != "gru":  # a GRU's second bias is added inside a product
            biases = [add("add", biases, (wide,))]
        x = add("linear", (x, weight, *biases[:1]), (*_shape(nodes, x)[:2], wide))
        if recurrence.images_first and number == 0:
            x = add("permute", (x,), (layer.steps, layer.images, wide), dims=(1, 0, 2))
        packed = (both, layer.hidden, layer.hidden, layer.rows)
        inner = add("call", (inner,), packed, function="by_units", more=(both, layer.gates, layer.rows))
        initial = [at[p] for p in recurrence.initial]
        if layers > 1:
            initial = [add("narrow", (p,), last, dim=0, start=number * both, length=both) for p in initial]
        kinds = (out, *(last for _ in initial))
        made = TupleType(tuple(TensorType(shape, "float32") for shape in kinds))
        nodes.append(Node("call", (x, inner, *biases[1:], *initial), attributes(function=name), made))
        whole = len(nodes) - 1
        results.append(tuple(add("getitem", (whole,), shape, index=k) for k, shape in enumerate(kinds)))
        x = results[-1][0]
    if recurrence.images_first:
        x = add("permute", (x,), (out[1], out[0], out[2]), dims=(1, 0, 2))
    return [x, *(joined(lasts) for lasts in list(zip(*results, strict=True))[1:])]


def _shape(nodes: Sequence[Node], position: int) -> tuple[int, ...]:
    type_ = nodes[position].type
    assert isinstance(type_, TensorType)
    return type_.shape


def _launcher(layer: Layer, name: str) -> str:
    """The function that runs all steps of one layer. TorchInductor cannot launch a grid that must run at once."""
    steps, images, hidden, both = layer.steps, layer.images, layer.hidden, layer.directions
    cells = layer.kind == "lstm"
    cells, bias = layer.kind == "lstm", layer.kind == "gru" and layer.bias
    given = ["projected", "weight", *["bias"] * bias, "h", *["c"] * cells]
    tensors = ["projected", "weight", *["cell"] * cells]
    if layer.kind == "gru":
        tensors.insert(2, "bias" if bias else "weight")
    switches = {"lstm": "", "gru": f" BIAS={bias},", "rnn": f" RELU={layer.relu},"}[layer.kind]
    ends = [f"state[{steps}, :, :{hidden}]", *[f"state[1, :, {hidden}:]"] * (both == 2)]
    lines = [
        "@torch.compiler.disable",
        f"def {name}({', '.join(given)}):",
        f'    """{steps} steps of {hidden} hidden units in {both} directions, on {both * layer.programs} programs."""',
        f"    state = torch.empty({(steps + 2, images, both * hidden)}, dtype=torch.float32, device=projected.device)",
        f"    state[0, :, :{hidden}] = h[0]",
        *[f"    state[{steps + 1}, :, {hidden}:] = h[1]"] * (both == 2),
        *["    cell = c.clone(memory_format=torch.contiguous_format)"] * cells,
        f"    arrived = torch.zeros({both}, dtype=torch.int32, device=projected.device)",
        f"    {layer.kind}_kernel[({layer.programs}, {both})](",
        f"        {', '.join(tensors)}, state, arrived, {steps}, projected.stride(0), projected.stride(1),",
        f"        BATCH={images}, HIDDEN={hidden}, DIRECTIONS={both},{switches}",
        f"        UNITS={layer.units}, INNER={layer.inner}, IMAGES={1 << (images - 1).bit_length()},",
        f"        num_warps={layer.warps}, launch_cooperative_grid=True,",
        "    )",
        f"    return state[1:-1], torch.stack([{', '.join(ends)}]){', cell' * cells}",
    ]
    return "\n".join(lines)
