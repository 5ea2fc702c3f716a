"""Where a convolution becomes products over its input as it lies, one for each tap, and the text of its kernels.

Good where memory is the limit: few channels, transposed with strides, in groups. The input is read once from memory
(by further taps from the caches) and the result is written once, where half convolutions move several times as much
around cuDNN's. With many taps and channels cuDNN's own kernels make up for that: which of the two it is to be is
estimated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import gcd, prod

from kernelwright.authors.graph.ir import Graph, Node, TensorType, attributes
from kernelwright.authors.templates.epilogue import Epilogue, epilogue
from kernelwright.authors.templates.kernels import definitions, functions
from kernelwright.authors.templates.placing import Add, with_prepared_calls
from kernelwright.authors.templates.pointwise import DEPTH, Block
from kernelwright.authors.templates.rows import FILLS, power_of_two
from kernelwright.authors.templates.windows import Three

FEWEST_ELEMENTS = 1 << 20
"""Read and written."""
FEWEST_CHANNELS = 3
"""Of a group: products of fewer leave most of the tensor cores' sixteen rows empty."""
FURTHEST = 1 << 31
"""Columns, and offsets within an image, are 32-bit integers."""
MOST_PHASES = 64
HELD = 8192
"""Elements of a block that is read, and of one that is computed: 32 registers for each in each of 256 threads, so that
two programs share a multiprocessor (some 120 registers, as compiled for an H100) and one reads while the other
computes."""
BANDWIDTH = 3.0e12
"""Bytes per second of an H100's memory, as kernels get it."""
RATE = 5.0e14
"""Operations per second of cuDNN's convolutions in float16."""
CYCLES = 132 * 1.7e9
"""Of all multiprocessors of an H100 in a second."""
CONVERTED = 1200 / 8192
"""Cycles for each element that a tap reads: loads, its part in the largest one, scaling, the way to shared memory. As
compiled for an H100, a step over 8192 of them takes 433 instructions in each of 8 warps, of which four are issued in a
cycle at best; the rest is waiting."""
MULTIPLIED = 490 / (8192 * 128)
"""Cycles for each element and output channel: 4096 operations in a cycle."""
MARGIN = 0.75
"""How much of the other way's time it may take on paper."""


@dataclass(frozen=True, slots=True)
class Direct:
    """One convolution and what follows it in the same kernel. Axes that are not there have size one."""

    node: int
    images: int
    groups: int
    inputs: int
    outputs: int
    """Channels of a group."""
    size: Three
    out: Three
    kernel: Three
    stride: Three
    padding: Three
    dilation: Three
    transposed: bool
    after: Epilogue

    @property
    def every(self) -> Three:
        """Taps from one that a phase sees to the next one."""
        a, b, c = (s // gcd(s, d) if self.transposed else 1 for s, d in zip(self.stride, self.dilation, strict=True))
        return a, b, c

    @property
    def phases(self) -> int:
        return prod(self.stride) if self.transposed else 1

    @property
    def columns(self) -> int:
        """Of a phase, those beyond the end of the smaller ones among them."""
        up = self.stride if self.transposed else (1, 1, 1)
        return self.images * prod(-(-n // s) for n, s in zip(self.out, up, strict=True))

    @property
    def block(self) -> Block:
        depth = max(16, min(DEPTH, power_of_two(self.inputs)))
        rows = max(16, min(128, power_of_two(self.outputs)))
        columns = max(32, min(256, HELD // max(depth, rows)))
        while columns > 32 and self._programs(rows, columns) < FILLS:
            columns //= 2
        return Block(rows, columns, depth)

    @property
    def programs(self) -> int:
        return self._programs(self.block.rows, self.block.columns)

    def _programs(self, rows: int, columns: int) -> int:
        return self.phases * self.groups * -(-self.outputs // rows) * -(-self.columns // columns)

    @property
    def bytes(self) -> tuple[int, int]:
        """Of the input and of the output."""
        channels = self.images * self.groups
        return 4 * channels * self.inputs * prod(self.size), 4 * channels * self.outputs * prod(self.out)

    @property
    def seen(self) -> int:
        """How many (place, tap) pairs there are; a transposed convolution's are counted where they come from."""
        return self.images * prod(self.size if self.transposed else self.out) * prod(self.kernel)

    @property
    def pays(self) -> bool:
        """Is it faster on paper than a half convolution? Those in groups have no other template."""
        if self.groups > 1:
            return True
        block = self.block
        read = self.seen * -(-self.inputs // block.depth) * block.depth * -(-self.outputs // block.rows)
        computing = read * (CONVERTED + MULTIPLIED * block.rows) / CYCLES
        given, made = self.bytes
        other = (3 * given + 2 * made) / BANDWIDTH + 2 * self.seen * self.inputs * self.outputs / RATE
        return max((given + made) / BANDWIDTH, computing) <= MARGIN * other


def find(graph: Graph) -> list[Direct]:
    """Every float32 convolution of a live input by weights that is large enough and pays."""
    live = graph.live()
    found: list[Direct] = []
    taken: set[int] = set()
    for position, node in enumerate(graph.nodes):
        if node.op != "conv" or not live[node.args[0]] or any(live[a] for a in node.args[1:]):
            continue
        after = epilogue(graph, position, _reads, taken)
        one = _seen(graph, position, after)
        if one is not None and one.pays:
            taken |= after.nodes
            found.append(one)
    return found


def _seen(graph: Graph, position: int, after: Epilogue) -> Direct | None:
    node = graph.nodes[position]
    given, weight, out = (graph.nodes[p].type for p in (*node.args[:2], position))
    if not isinstance(given, TensorType) or not isinstance(weight, TensorType) or not isinstance(out, TensorType):
        return None
    if out.dtype != "float32" or given.rank != weight.rank or given.rank not in (3, 4, 5):
        return None
    groups, transposed = node.attr["groups"], node.attr["transposed"]

    def three(values: Sequence[int], neutral: int) -> Three:
        first, second, third = (*(neutral,) * (5 - given.rank), *values)
        return first, second, third

    one = Direct(
        position, given.shape[0], groups, given.shape[1] // groups, out.shape[1] // groups,
        size=three(given.shape[2:], 1), out=three(out.shape[2:], 1), kernel=three(weight.shape[2:], 1),
        stride=three(node.attr["stride"], 1), padding=three(node.attr["padding"], 0),
        dilation=three(node.attr["dilation"], 1), transposed=transposed, after=after,
    )  # fmt: skip
    places = max(prod(one.size), prod(one.out))
    near = (max(given.shape[1], out.shape[1]) + DEPTH) * places < FURTHEST and one.columns + HELD < FURTHEST
    far = one.inputs < FEWEST_CHANNELS or one.phases > MOST_PHASES or min(one.out) < 1
    return one if near and not far and given.elements + out.elements >= FEWEST_ELEMENTS else None


def _reads(out: tuple[int, ...], shape: tuple[int, ...], name: str) -> str | None:
    """One value for each channel, or for each channel of each image."""
    places = (1,) * (len(out) - 2)
    if shape == (1, out[1], *places):
        return f"tl.load({name} + channel, mask=within, other=0.0)[:, None]"
    if shape == (*out[:2], *places):
        return f"tl.load({name} + image[None, :] * (GROUPS * OUT) + channel[:, None], mask=inside, other=0.0)"
    return None


def place(graph: Graph, found: Sequence[Direct]) -> tuple[Graph, str]:
    """The graph with calls in the convolutions' places, and the text of the functions that these call."""

    def call(number: int, add: Add, at: Mapping[int, int]) -> tuple[str, tuple[int, ...]]:
        one = found[number]
        x, weight, *bias = graph.nodes[one.node].args
        operands = (at[x], *_filters(add, at[weight], one), *(at[a] for a in (*bias, *one.after.operands)))
        return f"direct_{number + 1}", operands

    placed = with_prepared_calls(graph, [one.after.result for one in found], call)
    split, own = functions("split"), functions("direct")
    texts = [*(split[name] for name in ("unit_exponent", "power_of_two", "finite_size")), definitions("taps")]
    texts.append(own["taps_of_phase"])
    for number, one in enumerate(found, start=1):
        texts += _functions(graph, one, number)
    return placed, "\n\n\n".join(texts)


def _filters(add: Callable[[Node], int], weight: int, one: Direct) -> tuple[int, int]:
    """The filters by taps, and the unit of each output channel."""
    channels = one.groups * one.outputs
    half = TensorType((prod(one.kernel), channels, one.inputs), "float16")
    made = (("half_taps", half), ("taps_unit", TensorType((channels,), "float32")))
    more = (one.groups, one.transposed)
    first, second = (add(Node("call", (weight,), attributes(function=f, more=more), kind)) for f, kind in made)
    return first, second


def _functions(graph: Graph, one: Direct, number: int) -> list[str]:
    """The kernel with its epilogue, and the function that launches it."""
    name, block = f"direct_{number}", one.block
    out = graph.nodes[one.node].type
    assert isinstance(out, TensorType)
    bias = ["bias"] if len(graph.nodes[one.node].args) > 2 else []
    extra = [*bias, *(f"e{k}" for k in range(len(one.after.operands)))]
    lines = ["x += tl.load(bias_pointer + channel, mask=within, other=0.0)[:, None]"] if bias else []
    lines += one.after.lines
    kernel = functions("direct")["direct_kernel"].replace("direct_kernel", f"{name}_kernel")
    kernel = kernel.replace("unit, out,", f"unit,{''.join(f' {e}_pointer,' for e in extra)} out,")
    kernel = kernel.replace("    # EPILOGUE: x becomes what is stored\n", "".join(f"    {line}\n" for line in lines))
    sizes = (
        ("", one.size), ("O", one.out), ("K", one.kernel), ("S", one.stride), ("P", one.padding), ("D", one.dilation),
        ("E", one.every),
    )  # fmt: skip
    parts = [", ".join(f"{n}{axis}={v}" for axis, v in zip("DHW", values, strict=True)) for n, values in sizes]
    given = "".join(f" {e}.contiguous()," for e in extra)
    launcher = [
        f"def {name}({', '.join(('x', 'filters', 'unit', *extra))}):",
        f'    """To {out.shape}: {prod(one.kernel)} taps, {block.rows} channels x {block.columns} places a program."""',
        f"    out = torch.empty({out.shape}, dtype=torch.float32, device=x.device)",
        f"    {name}_kernel[({one.programs},)](",
        f"        x.contiguous(), filters, unit,{given} out, IMAGES={one.images}, GROUPS={one.groups},",
        f"        IN={one.inputs}, OUT={one.outputs}, TRANSPOSED={one.transposed},",
        *(f"        {part}," for part in parts),
        f"        BM={block.rows}, BN={block.columns}, BK={block.depth}, num_warps={block.warps}, num_stages=1,",
        "    )",
        "    return out",
    ]
    return [kernel, "\n".join(launcher)]
