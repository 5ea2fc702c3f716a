"""Where the largest or smallest element of a row is looked for by one kernel, with the pointwise work in front.

One pass over the input, read side by side along whatever axis: what is saved over TorchInductor's kernel is little for
rows of some thousand elements, and most of the time for few long rows, which are cut into parts here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph, Slot, TensorType, TupleType
from kernelwright.authors.templates.epilogue import EXPRESSIONS, Statements, prologue, users_of
from kernelwright.authors.templates.kernels import functions
from kernelwright.authors.templates.placing import with_calls
from kernelwright.authors.templates.reduction_text import load
from kernelwright.authors.templates.rows import Cut, Rows, cut, power_of_two

FEWEST_ELEMENTS = 1 << 20
"""Below this PyTorch's own kernels are over as soon as they are launched."""
FURTHEST = (1 << 31) - (1 << 23)
"""Offsets inside a row are 32-bit integers, those of the last block beyond its end too."""
EXTREMES = {
    "aten.argmax.default": False,
    "aten.argmin.default": True,
    "aten.max.dim": False,
    "aten.min.dim": True,
}
"""Is the smallest element looked for?"""


@dataclass(frozen=True, slots=True)
class Extreme:
    """One search, and the pointwise work in front of it."""

    node: int
    source: int
    before: tuple[int, ...]
    rows: Rows
    least: bool
    shape: tuple[int, ...]
    """Of the result, and of both where values are wanted too."""
    values: bool

    @property
    def cut(self) -> Cut:
        return cut(self.rows, 1, result=True)


def find(graph: Graph) -> list[Extreme]:
    """Every search along an axis, or all of them, of a float32 tensor that is large enough."""
    live, users = graph.live(), users_of(graph)
    found: list[Extreme] = []
    for position in range(len(graph.nodes)):
        rows = _rows(graph, position) if live[position] else None
        if rows is None:
            continue
        node = graph.nodes[position]
        (source,) = node.args
        full = graph.nodes[source].type
        out = node.type.parts[1] if isinstance(node.type, TupleType) else node.type
        assert isinstance(full, TensorType) and isinstance(out, TensorType)

        def free(moved: int, rows: Rows = rows, full: TensorType = full) -> bool:
            node = graph.nodes[moved]
            readable = all(graph.nodes[a].op == "const" or load(graph, rows, full, a, "") for a in node.args)
            return node.op in EXPRESSIONS and node.type == full and live[moved] and readable

        before = tuple(sorted(prologue({position}, users, free)))
        least = EXTREMES[node.attr["target"]]
        found.append(Extreme(position, source, before, rows, least, out.shape, isinstance(node.type, TupleType)))
    return found


def _rows(graph: Graph, position: int) -> Rows | None:
    """How the rows lie in which this node looks; ``None`` where it is no search for these kernels."""
    node = graph.nodes[position]
    attr = node.attr
    if node.op != "opaque" or attr["target"] not in EXTREMES or attr["args"][0] != Slot(0) or len(node.args) != 1:
        return None
    source = graph.nodes[node.args[0]].type
    given = dict(zip(("dim", "keepdim"), attr["args"][1:], strict=False)) | dict(attr["kwargs"])
    if not isinstance(source, TensorType) or source.dtype != "float32" or set(given) - {"dim", "keepdim"}:
        return None
    shape, dim = source.shape, given.get("dim")
    if dim is None:
        rows = Rows((), shape, ())
    else:
        axis = dim % max(source.rank, 1)
        rows = Rows(shape[:axis], shape[axis : axis + 1], shape[axis + 1 :])
    _, length, inner = rows.sizes
    return rows if rows.elements >= FEWEST_ELEMENTS and length > 1 and length * inner < FURTHEST else None


def place(graph: Graph, found: Sequence[Extreme]) -> tuple[Graph, str]:
    """The graph with calls in the searches' places, and the text of the functions that these call."""
    own = functions("extremes")
    texts = [functions("reduction")["rows_of"], own["rank_of"], own["value_of"]]
    if any(extreme.cut.parts > 1 for extreme in found):
        texts.append(own["joined_extremes_kernel"])
    calls: dict[int, tuple[str, tuple[int, ...]]] = {}
    for number, extreme in enumerate(found, start=1):
        name = f"extreme_{number}"
        operands, lines = _prologue(graph, extreme)
        kernel = own["extreme_kernel"].replace("extreme_kernel", f"{name}_kernel")
        mark = "        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE\n"
        kernel = kernel.replace(mark, "".join(f"        {line}\n" for line in lines))
        names = [f"e{k}" for k in range(len(operands))]
        kernel = kernel.replace("    x_pointer,", "   " + "".join(f" {e}_pointer," for e in names), 1)
        texts += [kernel, _launcher(extreme, name, names)]
        calls[extreme.node] = name, operands
    return with_calls(graph, calls), "\n\n\n".join(texts)


def _prologue(graph: Graph, extreme: Extreme) -> tuple[tuple[int, ...], list[str]]:
    """What the kernel reads, and the lines that make ``x`` of it."""
    full = graph.nodes[extreme.source].type
    assert isinstance(full, TensorType)
    statements = Statements(graph, {})

    def reads(operand: int, pointer: str) -> str | None:
        return load(graph, extreme.rows, full, operand, pointer)

    lines = statements.write(extreme.before, reads) + statements.read(extreme.source, reads)
    return tuple(statements.operands), [*lines, f"x = {statements.names[extreme.source]}"]


def _launcher(extreme: Extreme, name: str, names: Sequence[str]) -> str:
    outer, length, inner = extreme.rows.sizes
    cut_, rows = extreme.cut, outer * inner
    blocks = -(-outer // cut_.lanes) if inner == 1 else outer * -(-inner // cut_.lanes)
    part = cut_.part if cut_.parts > 1 else -(-length // cut_.block) * cut_.block
    given = "".join(f"{e}.contiguous(), " for e in names)
    lines = [
        f"def {name}({', '.join(names)}):",
        f'    """The {"smallest" if extreme.least else "largest"} of each of {outer} x {inner} rows of {length}."""',
        f"    values = torch.empty({cut_.parts * rows}, dtype=torch.float32, device=e0.device)",
        f"    indices = torch.empty({cut_.parts * rows}, dtype=torch.int64, device=e0.device)",
        f"    {name}_kernel[({blocks}, {cut_.parts})](",
        f"        {given}values, indices, OUTER={outer}, LENGTH={length}, INNER={inner},",
        f"        LANES={cut_.lanes}, BLOCK={cut_.block}, PART={part}, LEAST={extreme.least}, num_warps={cut_.warps},",
        "    )",
    ]
    if cut_.parts > 1:
        wide = power_of_two(cut_.parts)
        lines += [
            f"    joined_extremes_kernel[({rows},)](",
            f"        values, indices, ROWS={rows}, PARTS={cut_.parts}, WIDE={wide}, LEAST={extreme.least}",
            "    )",
            f"    values, indices = values[:{rows}], indices[:{rows}]",
        ]
    result = f"indices.reshape({extreme.shape})"
    if extreme.values:
        result = f"values.reshape({extreme.shape}), {result}"
    return "\n".join([*lines, f"    return {result}"])
