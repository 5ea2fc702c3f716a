"""The text of a reduction's kernels and of the function that launches them."""

import re
from collections.abc import Sequence

from kernelwright.authors.graph.ir import Graph, TensorType
from kernelwright.authors.templates.epilogue import Statements
from kernelwright.authors.templates.kernels import definitions, functions
from kernelwright.authors.templates.kinds import Reduction
from kernelwright.authors.templates.rows import FILLS, SHARE, Cut, Rows, cut, power_of_two, shares


def load(graph: Graph, rows: Rows, full: TensorType, operand: int, name: str) -> str | None:
    """How a block reads its part of an operand of element by element work; ``None`` where it cannot."""
    type_ = graph.nodes[operand].type
    if not isinstance(type_, TensorType) or type_.dtype != full.dtype or type_.rank > full.rank:
        return None
    if type_.elements == 1:
        return f"tl.load({name})"
    shape = (1,) * (full.rank - type_.rank) + type_.shape
    if shape == full.shape:
        return f"tl.load({name} + place, mask=inside, other=0.0)"
    return rows.reads(shape, name)


def load_of_rows(
    graph: Graph, rows: Rows, shape: tuple[int, ...], kept: tuple[int, ...], operand: int, name: str
) -> str | None:
    """The same for work on one value for each row: of this ``shape``, or ``kept`` where it has the row's axes."""
    type_ = graph.nodes[operand].type
    if not isinstance(type_, TensorType) or type_.dtype != "float32" or type_.rank > len(shape):
        return None
    if type_.elements == 1:
        return f"tl.load({name})"
    if type_.shape == shape:
        return f"tl.load({name} + spot, mask=row_inside, other=0.0)"
    return rows.reads_of_rows((1,) * (len(shape) - type_.rank) + type_.shape, name) if shape == kept else None


def text(graph: Graph, reduction: Reduction, number: int) -> tuple[tuple[int, ...], list[str]]:
    """Operands of the call of ``reduction_NUMBER``, and the text of all that it needs."""
    lines = _Lines(graph, reduction)
    name, statistics = f"reduction_{number}", reduction.kind.statistics
    large = sum(_type(graph, e).elements == reduction.rows.elements for e in lines.operands)
    cut_ = cut(reduction.rows, large, result=not reduction.whole)
    together = shares(reduction.rows, large) if reduction.whole else 0
    if together:
        cut_ = Cut(1, SHARE, SHARE // 1024, kept=True, parts=together)
        kernels: tuple[str, ...] = ("shared",)
    elif cut_.parts > 1:
        kernels = ("parts", "applied" if reduction.whole else "joined")
    elif reduction.whole:
        kernels = ("whole" if cut_.kept else "looped",)
    else:
        kernels = ("reduced",)
    parts = functions("reduction")
    texts = [definitions(statistics), parts["rows_of"]]
    if together:
        texts = [definitions(statistics), definitions("barrier")]
    elif cut_.parts > 1:
        texts.append(parts["joined_parts"])
    written = [_filled(parts[f"{kernel}_kernel"], kernel, lines) for kernel in kernels]
    for kernel, body in zip(kernels, written, strict=True):
        texts.append(body.replace(f"{kernel}_kernel", f"{name}_{kernel}_kernel"))
    texts = [
        t.replace("_statistics", f"_{statistics}").replace("joined_parts", f"joined_parts_of_{statistics}")
        for t in texts
    ]
    texts.append(_launcher(graph, reduction, lines, cut_, kernels, name))
    return tuple(lines.operands), texts


class _Lines:
    """The pointwise work of a reduction's kernels."""

    def __init__(self, graph: Graph, reduction: Reduction) -> None:
        node, rows = graph.nodes[reduction.node], reduction.rows
        full = _type(graph, node.args[0])
        skipped = len(rows.outer)
        kept = tuple(1 if skipped <= k < skipped + len(rows.length) else n for k, n in enumerate(full.shape))
        statements = Statements(graph, {})

        def of_elements(operand: int, name: str) -> str | None:
            return load(graph, rows, full, operand, name)

        self.prologue = statements.write(reduction.before, of_elements)
        reduced = node.args if reduction.kind.normal is None else node.args[:1]
        for arg in reduced:
            self.prologue += statements.read(arg, of_elements)
        self.prologue.append(f"x = {reduction.kind.element([statements.names[a] for a in reduced])}")
        self.middle = list(reduction.kind.middle(node.attr, rows.sizes[1]))
        self.epilogue: list[str] = []
        if reduction.kind.normal is None:
            statements.names[reduction.node] = "v"
            self._write_middle(graph, reduction, statements, kept)
        else:
            for weight in node.args[1:]:
                shape = _weight_shape(node.op, _type(graph, weight).shape, full.rank)
                self.epilogue += statements.read(weight, lambda operand, name, shape=shape: rows.reads(shape, name))
            normal = reduction.kind.normal([statements.names[a] for a in node.args])
            self.epilogue.append(f"x{reduction.node} = {normal}")
            statements.names[reduction.node] = f"x{reduction.node}"
        for position in (reduction.node, *reduction.middle):
            if reduction.whole and (position != reduction.node or reduction.kind.normal is None):
                statements.names[position] += "[:, None]"
        self.epilogue += statements.write(reduction.after, of_elements)
        (self.epilogue if reduction.whole else self.middle).append(f"y = {statements.names[reduction.result]}")
        self.operands = statements.operands

    def _write_middle(
        self, graph: Graph, reduction: Reduction, statements: Statements, kept: tuple[int, ...]
    ) -> None:  # fmt: skip
        for position in reduction.middle:
            node = graph.nodes[position]
            if node.op == "reshape":  # the rows stay in their order
                statements.names[position] = statements.names[node.args[0]]
                continue
            shape = _type(graph, position).shape

            def of_rows(operand: int, name: str, shape: tuple[int, ...] = shape) -> str | None:
                return load_of_rows(graph, reduction.rows, shape, kept, operand, name)

            self.middle += statements.write((position,), of_rows)


def _weight_shape(op: str, shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Of a scale or shift, as it broadcasts: along the last axes of a layer norm, else along the channels."""
    return (1,) * (rank - len(shape)) + shape if op == "layer_norm" else (1, *shape, *(1,) * (rank - 2))


def _filled(kernel: str, name: str, lines: _Lines) -> str:
    """A kernel of ``kernels/reduction.py`` with the lines in the places that are kept for them."""
    for mark, own in (("PROLOGUE", lines.prologue), ("MIDDLE", lines.middle), ("EPILOGUE", lines.epilogue)):
        kernel = re.sub(
            rf"^( *)\S.*  # {mark}$",
            lambda found, own=own: "\n".join(found.group(1) + line for line in own),
            kernel,
            flags=re.M,
        )
    return kernel.replace("    x_pointer,", "".join(f"    e{k}_pointer," for k in range(len(lines.operands))))


def _launcher(
    graph: Graph, reduction: Reduction, lines: _Lines, cut_: Cut, kernels: Sequence[str], name: str
) -> str:  # fmt: skip
    outer, length, inner = reduction.rows.sizes
    names = [f"e{k}" for k in range(len(lines.operands))]
    blocks = -(-outer // cut_.lanes) if inner == 1 else outer * -(-inner // cut_.lanes)
    geometry = f"OUTER={outer}, LENGTH={length}, INNER={inner}, LANES={cut_.lanes}"
    along = f"BLOCK={cut_.block}, num_warps={cut_.warps}"
    given = "".join(f"{e}, " for e in names)
    body = [f"    {', '.join(names)} = {', '.join(f'{e}.contiguous()' for e in names)}"]
    shape = _type(graph, reduction.result).shape
    body.append(f"    out = torch.empty({shape}, dtype=torch.float32, device=e0.device)")
    if kernels == ("shared",):
        groups = min(FILLS // cut_.parts, outer)
        body += [
            f"    parts = torch.empty({2 * outer * cut_.parts}, dtype=torch.float32, device=e0.device)",
            f"    arrived = torch.zeros({outer}, dtype=torch.int32, device=e0.device)",
            f"    {name}_shared_kernel[({groups * cut_.parts},)](",
            f"        {given}parts, arrived, out, {geometry}, PARTS={cut_.parts}, WIDE={power_of_two(cut_.parts)},",
            f"        GROUPS={groups}, {along}, maxnreg=64, launch_cooperative_grid=True,",
            "    )",
        ]
    elif cut_.parts == 1:
        body.append(f"    {name}_{kernels[0]}_kernel[({blocks},)]({given}out, {geometry}, {along})")
    else:
        wide = power_of_two(cut_.parts)
        parts = f"PART={cut_.part}, PARTS={cut_.parts}"
        body += [
            f"    parts = torch.empty({2 * outer * inner * cut_.parts}, dtype=torch.float32, device=e0.device)",
            f"    grid = ({blocks}, {cut_.parts})",
            f"    {name}_parts_kernel[grid]({given}parts, {geometry}, {parts}, {along})",
        ]
        if reduction.whole:
            body.append(
                f"    {name}_applied_kernel[grid]({given}parts, out, {geometry}, {parts}, WIDE={wide}, {along})"
            )
        else:
            # one row of statistics after another: there are few
            grid = f"({outer * inner},)" if inner == 1 else f"({blocks},)"
            joined = geometry if inner > 1 else geometry.replace(f"LANES={cut_.lanes}", "LANES=1")
            body.append(f"    {name}_joined_kernel[{grid}]({given}parts, out, {joined}, {parts}, WIDE={wide})")
    body.append("    return out")
    how = f"{outer} x {inner} rows of {length}, {inner} apart" if inner > 1 else f"{outer} rows of {length}"
    return "\n".join(
        [f"def {name}({', '.join(names)}):", f'    """{how}: in blocks of {cut_.lanes} x {cut_.block}."""', *body]
    )


def _type(graph: Graph, position: int) -> TensorType:
    type_ = graph.nodes[position].type
    assert isinstance(type_, TensorType)
    return type_
