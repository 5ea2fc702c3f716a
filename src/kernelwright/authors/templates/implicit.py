"""Where a convolution with few products in a sum becomes one product over patches, and the text of its kernels.

cuDNN has no kernel for tensor cores where input channels are few: it computes in float32, or pads them. Here the input
is read once from memory (by further taps from the caches), the result is written once, both channels first, and the
pointwise work that follows is in the same kernel. Three products for one are as exact as float32; where the reference
is computed in tf32, one is enough.

Tiles are those that were fastest over five layers on an H200 (torch 2.11.0, Triton 3.6): with 128 places for 4 warps
each thread reads one place, and what does not depend on it is a number in the code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from kernelwright.authors.graph.ir import Graph, Node, TensorType, attributes
from kernelwright.authors.templates.epilogue import Epilogue, epilogue
from kernelwright.authors.templates.kernels import definitions
from kernelwright.authors.templates.placing import Add, with_prepared_calls
from kernelwright.authors.templates.rows import power_of_two
from kernelwright.authors.templates.windows import Windows, windows_of

FEWEST_ELEMENTS = 1 << 20
"""Read and written."""
FURTHEST = 1 << 31
"""Offsets within an image are 32-bit integers."""
MOST_IMAGES = 65535
"""CUDA's bound for the second axis of a grid."""
MOST_PRODUCTS = 256
"""In one sum: steps are written out, so that code and time to compile grow with it."""
LONGEST = 128
"""Products after which an exact sum is taken out of the tensor cores, which round towards zero."""
PLACES = 128
"""Of a program."""
WARPS = 4
MOST_CHANNELS, MOST_CHANNELS_EXACT = 64, 32
"""Of a program: exact sums have two accumulators."""
REGISTERS = 128
"""Of a thread at most, in tf32: four programs share a multiprocessor then, and one waits while another computes."""


@dataclass(frozen=True, slots=True)
class Implicit:
    """One convolution and what follows it in the same kernel."""

    node: int
    inputs: int
    outputs: int
    windows: Windows
    after: Epilogue
    exact: bool
    """As float32 is, not as tf32."""

    @property
    def products(self) -> int:
        """In one sum."""
        return self.inputs * prod(self.windows.kernel)

    @property
    def images(self) -> int:
        return self.windows.planes // self.outputs

    @property
    def channels(self) -> int:
        """Of a program."""
        most = MOST_CHANNELS_EXACT if self.exact else MOST_CHANNELS
        return max(16, min(most, power_of_two(self.outputs)))

    @property
    def depth(self) -> int:
        """Products of a step."""
        return 32 if self.channels == 16 else 16

    @property
    def grid(self) -> tuple[int, int]:
        return -(-self.outputs // self.channels) * -(-prod(self.windows.out) // PLACES), self.images


def find(graph: Graph, *, exact: bool = True) -> list[Implicit]:
    """Every float32 convolution of a live input by weights, in one group, with short sums, that is large enough."""
    live = graph.live()
    found: list[Implicit] = []
    taken: set[int] = set()
    for position, node in enumerate(graph.nodes):
        if node.op != "conv" or not live[node.args[0]] or any(live[a] for a in node.args[1:]):
            continue
        one = _seen(graph, position, epilogue(graph, position, _reads, taken), exact)
        if one is not None:
            taken |= one.after.nodes
            found.append(one)
    return found


def _seen(graph: Graph, position: int, after: Epilogue, exact: bool) -> Implicit | None:
    node = graph.nodes[position]
    given, weight, out = (graph.nodes[p].type for p in (*node.args[:2], position))
    if not isinstance(given, TensorType) or not isinstance(weight, TensorType) or not isinstance(out, TensorType):
        return None
    attr = node.attr
    if attr["transposed"] or attr["groups"] != 1 or out.dtype != "float32" or given.rank != weight.rank:
        return None
    sizes = {key: attr[key] for key in ("stride", "padding", "dilation")}
    seen = windows_of(graph, position, weight.shape[2:], **sizes)
    one = Implicit(position, given.shape[1], out.shape[1], seen, after, exact)
    short = prod(seen.kernel) > 1 and one.products <= MOST_PRODUCTS and min(seen.out) > 0
    places = max(prod(seen.size), prod(seen.out))
    fits = one.images <= MOST_IMAGES and (max(one.inputs, one.outputs) + 128) * places < FURTHEST
    return one if short and fits and given.elements + out.elements >= FEWEST_ELEMENTS else None


def _reads(out: tuple[int, ...], shape: tuple[int, ...], name: str) -> str | None:
    """One value for each channel, for each channel of each image, or for each place."""
    places = (1,) * (len(out) - 2)
    if shape == (1, out[1], *places):
        return f"tl.load({name} + channel, mask=within, other=0.0)[None, :]"
    if shape == (*out[:2], *places):
        return f"tl.load({name} + (image * OUT + channel), mask=within, other=0.0)[None, :]"
    if shape == (out[0], 1, *out[2:]):
        return f"tl.load({name} + (image * places + spot), mask=there, other=0.0)[:, None]"
    return None


def place(graph: Graph, found: Sequence[Implicit]) -> tuple[Graph, str]:
    """The graph with calls in the convolutions' places, and the text of the functions that these call."""

    def call(number: int, add: Add, at: Mapping[int, int]) -> tuple[str, tuple[int, ...]]:
        one = found[number]
        x, weight, *bias = graph.nodes[one.node].args
        flat, turned = ((one.outputs, one.products), (one.products, one.outputs))
        filters = add(Node("reshape", (at[weight],), attributes(shape=flat), TensorType(flat, "float32")))
        filters = add(Node("permute", (filters,), attributes(dims=(1, 0)), TensorType(turned, "float32")))
        return f"implicit_{first + number}", (at[x], filters, *(at[a] for a in (*bias, *one.after.operands)))

    first = 1 + sum(node.op == "call" and node.attr["function"].startswith("implicit_") for node in graph.nodes)
    placed = with_prepared_calls(graph, [one.after.result for one in found], call)
    texts = [part for number, one in enumerate(found, start=first) for part in _functions(graph, one, number)]
    return placed, "\n\n\n".join(texts)


def _functions(graph: Graph, one: Implicit, number: int) -> list[str]:
    """The kernel with what follows, and the function that launches it."""
    name, (first, second) = f"implicit_{number}", one.grid
    out = graph.nodes[one.node].type
    assert isinstance(out, TensorType)
    bias = ["bias"] if len(graph.nodes[one.node].args) > 2 else []
    after = [*bias, *(f"e{k}" for k in range(len(one.after.operands)))]
    lines = [f"x += {_reads(out.shape, (1, *out.shape[1:2], *(1,) * (out.rank - 2)), 'bias_pointer')}"] if bias else []
    # a division in float32's whole range, off by two units in the last place at most: the sum is off by more
    lines += [line.replace("tl.div_rn(", "tl.fdiv(") for line in one.after.lines]
    kernel = definitions("implicit").replace("implicit_kernel", f"{name}_kernel")
    kernel = kernel.replace("filters, out,", f"filters,{''.join(f' {e}_pointer,' for e in after)} out,", 1)
    kernel = kernel.replace("    # EPILOGUE: x becomes what is stored\n", "".join(f"    {line}\n" for line in lines))
    given = "".join(f"{e}.contiguous(), " for e in ("x", "filters", *after))
    launcher = [
        f"def {name}({', '.join(('x', 'filters', *after))}):",
        f'    """To {out.shape}: sums of {one.products}, {PLACES} places x {one.channels} channels a program."""',
        f"    out = torch.empty({out.shape}, dtype=torch.float32, device=x.device)",
        f"    {name}_kernel[({first}, {second})](",
        f"        {given}out,",
        f"        IN={one.inputs}, OUT={one.outputs},",
        *(f"        {line}" for line in one.windows.sizes()),
        f"        EXACT={one.exact}, LONGEST={LONGEST}, BM={PLACES}, BN={one.channels}, BK={one.depth},",
        f"        num_warps={WARPS}, num_stages=1,{'' if one.exact else f' maxnreg={REGISTERS},'}",
        "    )",
        "    return out",
    ]
    return [kernel, "\n".join(launcher)]
