"""Where a convolution with one tap becomes one product over its input as it lies, and the text of its kernels.

Good where memory is the limit: the input is read once, the result written once, both channels first, with the work
around the convolution in the same kernel. cuDNN's tf32 convolutions want channels last, and PyTorch changes the layout
in kernels of its own. With three products for one it costs no more than the memory takes as long as channels are few,
and is then as exact as float32, whatever the reference is computed in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from kernelwright.authors.graph.ir import Graph, Node, TensorType, attributes
from kernelwright.authors.templates.epilogue import Epilogue, epilogue
from kernelwright.authors.templates.kernels import definitions, functions
from kernelwright.authors.templates.placing import Add, with_prepared_calls
from kernelwright.authors.templates.prologue import Prologue, prologue
from kernelwright.authors.templates.rows import FILLS, power_of_two

FEWEST_ELEMENTS = 1 << 16
"""Read and written. Below this a call of PyTorch's costs no more than the launch itself."""
FURTHEST = 1 << 31
"""Columns, and offsets within an image, are 32-bit integers."""
EXACT_UNTIL = 96
"""Of inputs · outputs / (inputs + outputs): 4 (inputs + outputs) bytes for a place at some 3 TB/s take as long as
3 · 2 · inputs · outputs operations at some 500 TFLOPS at 111, on an H100; the conversion needs a share of the time."""
MOST_AGAIN = 4
"""How often the work in front may be repeated: once for each block of output channels."""
DEPTH = 64
"""Input channels of a step, which are added up in float32 outside of the tensor cores (kernels/product.py)."""
READ = 8192
"""Elements that a program reads at once: 32 KiB, of which two programs keep an H100's memory busy (see ``rows.STEP``),
and 32 registers in each of 256 threads."""
ACCUMULATED = 1 << 14
"""Elements of a block of the result: 64 registers in each of 256 threads."""


@dataclass(frozen=True, slots=True)
class Block:
    """Output channels, columns and input channels of a program's step; powers of two."""

    rows: int
    columns: int
    depth: int

    @property
    def warps(self) -> int:
        return 8 if self.rows * self.columns >= ACCUMULATED // 2 else 4


@dataclass(frozen=True, slots=True)
class Pointwise:
    """One convolution with one tap, what is in front of it and what follows it in the same kernel."""

    node: int
    inputs: int
    outputs: int
    images: int
    places: int
    exact: bool
    before: Prologue
    after: Epilogue

    @property
    def block(self) -> Block:
        """All output channels up to 256, so that the input is read once; smaller where there are few columns."""
        depth = max(16, min(DEPTH, power_of_two(self.inputs)))
        rows = max(16, min(256 if self.inputs <= DEPTH else 128, power_of_two(self.outputs)))
        columns = max(32, min(256, READ // depth, ACCUMULATED // rows))
        while columns > 32 and self._programs(rows, columns) < FILLS // 2:
            columns //= 2
        while rows > 32 and self._programs(rows, columns) < FILLS // 2:
            rows //= 2
        return Block(rows, columns, depth)

    @property
    def programs(self) -> int:
        return self._programs(self.block.rows, self.block.columns)

    def _programs(self, rows: int, columns: int) -> int:
        return -(-self.outputs // rows) * -(-self.images * self.places // columns)


def find(graph: Graph, *, halves: bool = False) -> list[Pointwise]:
    """Every float32 convolution of a live input by weights with one tap, unmoved, in one group, that is large enough.

    ``halves``: those for which one product is wanted in place of three.
    """
    live = graph.live()
    found: list[Pointwise] = []
    taken: set[int] = set()
    for position, node in enumerate(graph.nodes):
        one = _seen(graph, position) if node.op == "conv" and live[node.args[0]] else None
        if one is None or any(live[a] for a in node.args[1:]):
            continue
        if halves and one.inputs * one.outputs <= EXACT_UNTIL * (one.inputs + one.outputs):
            continue
        after = epilogue(graph, position, _reads, taken)
        taken |= after.nodes
        found.append(replace(one, exact=not halves, after=after))
    return [replace(one, before=_before(graph, one, taken)) for one in found]


def _seen(graph: Graph, position: int) -> Pointwise | None:
    node = graph.nodes[position]
    given, weight, out = (graph.nodes[p].type for p in (*node.args[:2], position))
    if not isinstance(given, TensorType) or not isinstance(weight, TensorType) or not isinstance(out, TensorType):
        return None
    attr = node.attr
    plain = not attr["transposed"] and attr["groups"] == 1 and set(attr["stride"]) == {1} and not any(attr["padding"])
    if not plain or prod(weight.shape[2:]) != 1 or out.dtype != "float32" or given.rank != weight.rank:
        return None
    outputs, inputs = weight.shape[:2]
    images, places = given.shape[0], prod(given.shape[2:])
    near = images * places + READ < FURTHEST and (max(inputs, outputs) + 256) * places < FURTHEST
    if not near or given.elements + out.elements < FEWEST_ELEMENTS or outputs * inputs >= FURTHEST:
        return None
    nothing = Prologue(node.args[0], (), ()), Epilogue(position, (), ())
    return Pointwise(position, inputs, outputs, images, places, True, *nothing)


def _before(graph: Graph, one: Pointwise, taken: set[int]) -> Prologue:
    again = -(-one.outputs // one.block.rows)
    return prologue(graph, one.node, _reads_before, taken) if again <= MOST_AGAIN else one.before


def _reads(out: tuple[int, ...], shape: tuple[int, ...], name: str) -> str | None:
    """One value for each channel, for each channel of each image, or for each place."""
    places = (1,) * (len(out) - 2)
    if shape == (1, out[1], *places):
        return f"tl.load({name} + channel, mask=within, other=0.0)[:, None]"
    if shape == (*out[:2], *places):
        return f"tl.load({name} + image[None, :] * OUT + channel[:, None], mask=inside, other=0.0)"
    if shape == (out[0], 1, *out[2:]):
        return f"tl.load({name} + column, mask=there, other=0.0)[None, :]"
    return None


def _reads_before(out: tuple[int, ...], shape: tuple[int, ...], name: str) -> str | None:
    """The same of an operand of the work in front."""
    places = (1,) * (len(out) - 2)
    if shape == (1, out[1], *places):
        return f"tl.load({name} + inner, mask=inner < IN, other=0.0)[:, None]"
    if shape == (*out[:2], *places):
        return f"tl.load({name} + image[None, :] * IN + inner[:, None], mask=fits, other=0.0)"
    if shape == (out[0], 1, *out[2:]):
        return f"tl.load({name} + column, mask=there, other=0.0)[None, :]"
    return None


def place(graph: Graph, found: Sequence[Pointwise]) -> tuple[Graph, str]:
    """The graph with calls in the convolutions' places, and the text of the functions that these call."""

    def call(number: int, add: Add, at: Mapping[int, int]) -> tuple[str, tuple[int, ...]]:
        one = found[number]
        _, weight, *bias = graph.nodes[one.node].args
        filters = filter_parts(add, at[weight], (one.outputs, one.inputs), exact=one.exact)
        read = (one.before.source, *one.before.operands)
        operands = (*(at[r] for r in read), *filters, *(at[a] for a in (*bias, *one.after.operands)))
        return _name(one, number + 1), operands

    placed = with_prepared_calls(graph, [one.after.result for one in found], call)
    split, weights = functions("split"), functions("weights")
    texts = [*(split[name] for name in ("unit_exponent", "power_of_two", "finite_size")), *weights.values()]
    for number, one in enumerate(found, start=1):
        texts += _functions(graph, one, number)
    return placed, "\n\n\n".join(texts)


def filter_parts(add: Callable[[Node], int], weight: int, shape: tuple[int, ...], *, exact: bool) -> list[int]:
    """Filters of this shape in float16, with what that leaves out where it is to be exact, and the unit of each."""
    flat, half, unit = (TensorType(s, d) for s, d in ((shape, "float32"), (shape, "float16"), (shape[:-1], "float32")))
    flattened = add(Node("reshape", (weight,), attributes(shape=shape), flat))
    made = (("high_part", half), *((("low_part", half),) if exact else ()), ("row_unit", unit))
    return [add(Node("call", (flattened,), attributes(function=function), kind)) for function, kind in made]


def _name(one: Pointwise, number: int) -> str:
    return f"{'pointwise' if one.exact else 'half_pointwise'}_{number}"


def _functions(graph: Graph, one: Pointwise, number: int) -> list[str]:
    """The kernel with what is in front and behind, and the function that launches it."""
    name, block = _name(one, number), one.block
    out = graph.nodes[one.node].type
    assert isinstance(out, TensorType)
    before = [f"p{k}" for k in range(len(one.before.operands))]
    bias = ["bias"] if len(graph.nodes[one.node].args) > 2 else []
    after = [*bias, *(f"e{k}" for k in range(len(one.after.operands)))]
    lines = [f"x += {_reads(out.shape, (1, *out.shape[1:2], *(1,) * (out.rank - 2)), 'bias_pointer')}"] if bias else []
    kernel = definitions("pointwise").replace("pointwise_kernel", f"{name}_kernel")
    kernel = kernel.replace("unit, out,", f"unit,{''.join(f' {e}_pointer,' for e in (*before, *after))} out,")
    for mark, own in (
        ("        # PROLOGUE: v becomes what is convolved\n", one.before.lines),
        ("    # EPILOGUE: x becomes what is stored\n", (*lines, *one.after.lines)),
    ):
        indent = mark[: mark.index("#")]
        kernel = kernel.replace(mark, "".join(f"{indent}{line}\n" for line in own))
    filters = ("high", "low", "unit") if one.exact else ("high", "unit")
    given = "".join(f" {e}.contiguous()," for e in (*before, *after))
    launcher = [
        f"def {name}({', '.join(('x', *before, *filters, *after))}):",
        f'    """To {out.shape}: in blocks of {block.rows} channels x {block.columns} places."""',
        f"    out = torch.empty({out.shape}, dtype=torch.float32, device=x.device)",
        f"    {name}_kernel[({one.programs},)](",
        f"        x.contiguous(), high, {'low' if one.exact else 'high'}, unit,{given} out,",
        f"        COLUMNS={one.images * one.places}, PLACES={one.places}, IN={one.inputs}, OUT={one.outputs},",
        f"        BM={block.rows}, BN={block.columns}, BK={block.depth}, EXACT={one.exact},",
        f"        num_warps={block.warps}, num_stages={3 if one.inputs > 2 * block.depth else 2},",
        "    )",
        "    return out",
    ]
    return [kernel, "\n".join(launcher)]
