"""Where a depthwise convolution, plain or transposed, is computed directly, and the text of its kernels."""

from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph, TensorType
from kernelwright.authors.templates import windows
from kernelwright.authors.templates.epilogue import Epilogue, epilogue
from kernelwright.authors.templates.kernels import definitions
from kernelwright.authors.templates.placing import with_calls
from kernelwright.authors.templates.windows import Windows, launcher, per_channel, windows_of


@dataclass(frozen=True, slots=True)
class Depthwise:
    """One convolution and what follows it in the same kernel."""

    node: int
    windows: Windows
    multiple: int
    """Output channels for each input channel."""
    transposed: bool
    after: Epilogue


def find(graph: Graph) -> list[Depthwise]:
    """Every float32 convolution of a live input with one group for each of its channels that is large enough."""
    live = graph.live()
    found: list[Depthwise] = []
    taken: set[int] = set()
    for position, node in enumerate(graph.nodes):
        if node.op != "conv" or not live[position]:
            continue
        given, weight, out = (graph.nodes[p].type for p in (*node.args[:2], position))
        if not all(isinstance(t, TensorType) and t.dtype == "float32" for t in (given, weight, out)):
            continue
        assert isinstance(given, TensorType) and isinstance(weight, TensorType) and isinstance(out, TensorType)
        if node.attr["groups"] != given.shape[1] or given.shape[1] == 1 or given.elements < windows.FEWEST_ELEMENTS:
            continue
        sizes = {key: node.attr[key] for key in ("stride", "padding", "dilation")}
        seen = windows_of(graph, position, weight.shape[2:], **sizes)
        if seen.fits:
            after = epilogue(graph, position, per_channel, taken)
            taken |= after.nodes
            multiple, transposed = out.shape[1] // given.shape[1], node.attr["transposed"]
            found.append(Depthwise(position, seen, multiple, transposed, after))
    return found


def place(graph: Graph, found: Sequence[Depthwise]) -> tuple[Graph, str]:
    """The graph with calls in the convolutions' places, and the text of the functions that these call."""
    calls = {
        f.after.result: (f"depthwise_{number}", (*graph.nodes[f.node].args, *f.after.operands))
        for number, f in enumerate(found, start=1)
    }
    texts = [part for number, f in enumerate(found, start=1) for part in _functions(graph, f, number)]
    return with_calls(graph, calls), "\n\n\n".join([definitions("windows"), *texts])


def _functions(graph: Graph, found: Depthwise, number: int) -> list[str]:
    """The kernel with its epilogue, and the function that launches it."""
    name = f"depthwise_{number}"
    node, out = graph.nodes[found.node], graph.nodes[found.after.result].type
    assert isinstance(out, TensorType)
    bias = ["bias"] if len(node.args) > 2 else []
    extra = [*bias, *(f"e{k}" for k in range(len(found.after.operands)))]
    lines = ["x += tl.load(bias_pointer + channel)"] if bias else []
    lines += found.after.lines
    kind = "depthwise_transposed" if found.transposed else "depthwise"
    kernel = definitions(kind).replace(f"{kind}_kernel", f"{name}_kernel")
    kernel = kernel.replace("weight, out,", f"weight,{''.join(f' {e}_pointer,' for e in extra)} out,")
    kernel = kernel.replace("    # EPILOGUE: x becomes what is stored\n", "".join(f"    {line}\n" for line in lines))
    sizes = " x ".join(map(str, found.windows.kernel[-(out.rank - 2) :]))
    constants = [f"PLANES={found.windows.planes}, CHANNELS={found.windows.channels}, MULTIPLE={found.multiple},"]
    title = f"To {out.shape}: {sizes} taps a channel"
    return [kernel, launcher(name, title, found.windows, out.shape, ["x", "weight", *extra], constants)]
