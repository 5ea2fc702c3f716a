"""Where a float32 convolution is computed in float16 between two changes of layout, and the text of its functions.

Only where PyTorch's own is computed in tf32, which has no more significant bits: the judge's bound on errors is then
tf32's, and elsewhere it turns such a candidate down.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from kernelwright.authors.graph.expressions import expression
from kernelwright.authors.graph.ir import Graph, Node, Symbol, TensorType, Type, attributes
from kernelwright.authors.templates.epilogue import Epilogue, epilogue
from kernelwright.authors.templates.kernels import definitions
from kernelwright.authors.templates.placing import Add, with_prepared_calls

FEWEST_FLOPS = 1 << 28
FORMATS = {3: "torch.channels_last", 4: "torch.channels_last", 5: "torch.channels_last_3d"}
"""By rank of the input; one axis of places is two, the first of size one."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution and what follows it in the kernel that changes the layout back."""

    node: int
    after: Epilogue


def find(graph: Graph) -> list[Convolution]:
    """Every float32 convolution of a live input by weights in one group that is large enough."""
    live = graph.live()
    found: list[Convolution] = []
    taken: set[int] = set()
    for position, node in enumerate(graph.nodes):
        if node.op != "conv" or not live[position] or node.attr["groups"] != 1:
            continue
        out = node.type
        weight = graph.nodes[node.args[1]].type
        if not isinstance(out, TensorType) or not isinstance(weight, TensorType) or out.dtype != "float32":
            continue
        flops = 2 * out.elements * prod(weight.shape) // out.shape[1]
        weights_only = not any(live[a] for a in node.args[1:])
        if weights_only and live[node.args[0]] and flops >= FEWEST_FLOPS:
            after = epilogue(graph, position, _reads, taken)
            taken |= after.nodes
            found.append(Convolution(position, after))
    return found


def _reads(out: tuple[int, ...], shape: tuple[int, ...], name: str) -> str | None:
    """One value for each channel."""
    if shape == (1, out[1], *(1,) * (len(out) - 2)):
        return f"tl.load({name} + channel, mask=channel < C, other=0.0)[:, None]"
    return None


def place(graph: Graph, found: Sequence[Convolution]) -> tuple[Graph, str]:
    """The graph with calls in the convolutions' places, and the text of the functions that these call."""

    def call(number: int, add: Add, at: Mapping[int, int]) -> tuple[str, tuple[int, ...]]:
        convolution = found[number]
        x, weight, *bias = graph.nodes[convolution.node].args
        transposed = graph.nodes[convolution.node].attr["transposed"]
        filters = half_weight(add, at[weight], graph.nodes[weight].type, transposed=transposed)
        operands = (at[x], *filters, *(at[a] for a in bias), *(at[e] for e in convolution.after.operands))
        return f"convolution_{number + 1}", operands

    placed = with_prepared_calls(graph, [convolution.after.result for convolution in found], call)
    return placed, _text(graph, found)


def half_weight(add: Callable[[Node], int], weight: int, type_: Type, *, transposed: bool) -> tuple[int, int]:
    """The filters in float16 and their units, from the weight that lies at this position."""
    assert isinstance(type_, TensorType)
    inputs = 0 if transposed else 1
    shape = type_.shape[:2] + (1,) * (type_.rank == 3) + type_.shape[2:]
    if type_.rank == 3:
        weight = add(Node("reshape", (weight,), attributes(shape=shape), TensorType(shape, type_.dtype)))
    units = TensorType((shape[1 - inputs],), "float32")
    format_ = Symbol(FORMATS[type_.rank])
    made = attributes(function="half_filters", more=(inputs, format_))
    return (
        add(Node("call", (weight,), made, TensorType(shape, "float16"))),
        add(Node("call", (weight,), attributes(function="filter_unit", more=(inputs,)), units)),
    )


def _text(graph: Graph, found: Sequence[Convolution]) -> str:
    texts = [definitions("halves"), definitions("filters")]
    for number, convolution in enumerate(found, start=1):
        texts += _functions(graph, convolution, number)
    return "\n\n\n".join(texts)


def _functions(graph: Graph, convolution: Convolution, number: int) -> list[str]:
    node = graph.nodes[convolution.node]
    out, name = node.type, f"convolution_{number}"
    assert isinstance(out, TensorType)
    bias = ["bias"] if len(node.args) > 2 else []
    extra = [*bias, *(f"e{k}" for k in range(len(convolution.after.operands)))]
    lines = ["x += tl.load(bias_pointer + channel, mask=channel < C, other=0.0)[:, None]"] if bias else []
    lines += convolution.after.lines
    pointers = "".join(f" {e}_pointer," for e in extra)
    kernel = definitions("after_convolution").replace("after_kernel", f"{name}_kernel")
    kernel = kernel.replace("filter_unit, out,", f"filter_unit, out,{pointers}")
    kernel = kernel.replace("    # EPILOGUE: x becomes what is stored\n", "".join(f"    {line}\n" for line in lines))
    images, channels, places = out.shape[0], out.shape[1], prod(out.shape[2:])
    wide = min(64, 1 << (channels - 1).bit_length())
    grid = (-(-places // 128), -(-channels // wide), images)
    given = "".join(f" {e}.contiguous()," for e in extra)
    flat = out.rank == 3
    format_ = FORMATS[out.rank]
    launcher = [
        f"def {name}({', '.join(('x', 'filters', 'units', *extra))}):",
        f'    """To {out.shape}: in float16, channels last."""',
        f"    half, unit = to_half_channels_last(x{'.unsqueeze(2)' if flat else ''}, {format_})",
        f"    y = {_called(node)}.contiguous(memory_format={format_})",
        f"    out = torch.empty({out.shape}, dtype=torch.float32, device=x.device)",
        f"    {name}_kernel[{grid}](",
        f"        y, unit, units, out,{given} {channels}, {places}, CHANNELS={wide}, PLACES=128, num_warps=8,",
        "    )",
        "    return out",
    ]
    return [kernel, "\n".join(launcher)]


def _called(node: Node) -> str:
    """The convolution itself as PyTorch's function."""
    attrs = dict(node.attrs)
    out = node.type
    assert isinstance(out, TensorType)
    shape = out.shape
    if out.rank == 3:
        for key, neutral in (("stride", 1), ("padding", 0), ("dilation", 1), ("output_padding", 0)):
            attrs[key] = (neutral, *attrs[key])
        shape = (*out.shape[:2], 1, *out.shape[2:])
    half = TensorType(shape, "float16")
    return expression(Node("conv", (0, 1), attributes(**attrs), half), ["half", "filters"], [half, half], "")
