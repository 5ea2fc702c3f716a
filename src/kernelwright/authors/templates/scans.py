"""Where a running sum along the last axis becomes one kernel: forwards, backwards, exclusive or masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from kernelwright.authors.graph.ir import Graph, Node, Slot, TensorType
from kernelwright.authors.templates.epilogue import EXPRESSIONS, Statements, prologue, users_of
from kernelwright.authors.templates.kernels import definitions
from kernelwright.authors.templates.placing import with_calls
from kernelwright.authors.templates.reduction_text import load
from kernelwright.authors.templates.rows import FILLS, STEP, Rows, power_of_two

FEWEST_ELEMENTS = 1 << 20
FEWEST_ROWS = FILLS // 4
"""One program scans a row from its beginning to its end: fewer leave most of a device idle."""
SCANS = {"aten.cumsum.default": "cumsum", "aten.cumprod.default": "cumprod"}


@dataclass(frozen=True, slots=True)
class Scan:
    """One running sum or product of the value at ``source``, and the node that its kernel's result stands for."""

    name: str
    source: int
    mask: int | None
    """A tensor of truth values that the source is multiplied with."""
    before: tuple[int, ...]
    """Positions of the pointwise work that leads to the source."""
    rows: Rows
    reverse: bool
    exclusive: bool
    result: int


@dataclass(frozen=True, slots=True)
class _Pattern:
    """``source`` and ``result`` of a scan, and all nodes between that its kernel replaces."""

    source: int
    result: int
    inside: frozenset[int]
    reverse: bool = False
    exclusive: bool = False


def find(graph: Graph) -> list[Scan]:
    """Every float32 scan along the last axis that is large enough."""
    live, users = graph.live(), users_of(graph)
    found: list[Scan] = []
    for position, node in enumerate(graph.nodes):
        name = _scan(node)
        if name is None or not live[position] or not isinstance(node.type, TensorType):
            continue
        pattern = _backwards(graph, position, users) or _exclusive(graph, position, users)
        pattern = pattern if pattern and (name == "cumsum" or not pattern.exclusive) else None
        pattern = pattern or _Pattern(node.args[0], position, frozenset({position}))
        type_ = graph.nodes[pattern.source].type
        if not isinstance(type_, TensorType) or type_.dtype != "float32" or type_.elements < FEWEST_ELEMENTS:
            continue
        if prod(type_.shape[:-1]) >= FEWEST_ROWS:
            found.append(_with_prologue(graph, name, pattern, type_, users, live))
    return found


def _opaque(node: Node, *targets: str) -> tuple[Any, ...] | None:
    """The arguments of a call of one of these, where there are no others by keyword."""
    attr = node.attr
    return attr["args"] if node.op == "opaque" and attr["target"] in targets and not attr["kwargs"] else None


def _scan(node: Node) -> str | None:
    args = _opaque(node, *SCANS)
    if args is None or not isinstance(node.type, TensorType) or node.type.dtype != "float32":
        return None
    return SCANS[node.attr["target"]] if args[1] in (-1, node.type.rank - 1) else None


def _flip(graph: Graph, position: int) -> bool:
    """Turns the last axis round."""
    if position >= len(graph.nodes):
        return False
    node = graph.nodes[position]
    args = _opaque(node, "aten.flip.default")
    return args is not None and isinstance(node.type, TensorType) and args[1] in ((-1,), (node.type.rank - 1,))


def _backwards(graph: Graph, position: int, users: Sequence[set[int]]) -> _Pattern | None:
    """The reverse of a scan of the reverse."""
    (first,) = graph.nodes[position].args
    last = max(users[position], default=len(graph.nodes))
    if len(users[position]) > 1 or not _flip(graph, first) or not _flip(graph, last) or users[first] != {position}:
        return None
    return _Pattern(graph.nodes[first].args[0], last, frozenset({first, position, last}), reverse=True)


def _exclusive(graph: Graph, position: int, users: Sequence[set[int]]) -> _Pattern | None:
    """Zeros before the scan of all but the last element."""
    (first,) = graph.nodes[position].args
    last = max(users[position], default=len(graph.nodes))
    sliced = _opaque(graph.nodes[first], "aten.slice.Tensor")
    type_ = graph.nodes[first].type
    if len(users[position]) > 1 or last == len(graph.nodes) or sliced is None or users[first] != {position}:
        return None
    source = graph.nodes[first].args[0]
    whole = graph.nodes[source].type
    if not isinstance(type_, TensorType) or not isinstance(whole, TensorType):
        return None
    dim, start, stop, *step = (*sliced[1:], *(0, None, None)[len(sliced) - 1 :])[:4]
    from_start = dim in (-1, whole.rank - 1) and start in (0, None) and not [s for s in step if s not in (None, 1)]
    if not from_start or stop is None or type_.shape != (*whole.shape[:-1], whole.shape[-1] - 1):
        return None
    if graph.nodes[last].type != whole or not _joined_behind(graph, last, position):
        return None
    return _Pattern(
        source, last, frozenset({first, position, last} | _only_shape(graph, last, users)), exclusive=True
    )  # fmt: skip


def _joined_behind(graph: Graph, last: int, position: int) -> bool:
    """``cat((zeros, position), last axis)``."""
    node = graph.nodes[last]
    args = _opaque(node, "aten.cat.default")
    if len(node.args) != 2 or node.args[1] != position or not isinstance(node.type, TensorType):
        return False
    if node.op == "cat":
        dim = node.attr["dim"]
    elif args is not None and len(args) == 2 and args[0] == (Slot(0), Slot(1)):
        dim = args[1]
    else:
        return False
    zeros = graph.nodes[node.args[0]]
    nothing = (zeros.op == "full" and zeros.attr["value"] == 0) or (
        zeros.op == "opaque" and zeros.attr["target"] in ("aten.zeros_like.default", "aten.zeros.default")
    )
    return nothing and dim in (-1, node.type.rank - 1)


def _only_shape(graph: Graph, last: int, users: Sequence[set[int]]) -> set[int]:
    """What is computed for nothing but the shape of the zeros."""
    found: set[int] = set()
    stack = [graph.nodes[last].args[0]]
    while stack:
        position = stack.pop()
        if users[position] <= found | {last} and graph.nodes[position].op not in ("input", "weight"):
            found.add(position)
            stack += graph.nodes[position].args
    return found


def _with_prologue(
    graph: Graph, name: str, pattern: _Pattern, type_: TensorType, users: Sequence[set[int]], live: Sequence[bool]
) -> Scan:  # fmt: skip
    rows = Rows(type_.shape[:-1], type_.shape[-1:], ())
    source, mask, inside = pattern.source, None, set(pattern.inside)
    node = graph.nodes[source]
    if _opaque(node, "aten.mul.Tensor") == (Slot(0), Slot(1)) and users[source] <= inside:
        operands = {graph.nodes[a].type: a for a in node.args}
        truth = TensorType(type_.shape, "bool")
        if set(operands) == {type_, truth}:
            inside.add(source)
            source, mask = operands[type_], operands[truth]

    def free(position: int) -> bool:
        moved = graph.nodes[position]
        readable = all(graph.nodes[a].op == "const" or load(graph, rows, type_, a, "") for a in moved.args)
        return moved.op in EXPRESSIONS and moved.type == type_ and live[position] and readable

    before = tuple(sorted(prologue(inside, users, free)))
    return Scan(name, source, mask, before, rows, pattern.reverse, pattern.exclusive, pattern.result)


def place(graph: Graph, found: Sequence[Scan]) -> tuple[Graph, str]:
    """The graph with calls in the scans' places, and the text of the functions that these call."""
    calls: dict[int, tuple[str, tuple[int, ...]]] = {}
    texts: list[str] = []
    for number, scan in enumerate(found, start=1):
        operands, functions = _text(graph, scan, f"scan_{number}")
        calls[scan.result] = (f"scan_{number}", operands)
        texts += functions
    return with_calls(graph, calls), "\n\n\n".join(texts)


def _text(graph: Graph, scan: Scan, name: str) -> tuple[tuple[int, ...], list[str]]:
    """The operands of the call, the kernel and the function that launches it."""
    type_ = graph.nodes[scan.source].type
    assert isinstance(type_, TensorType)
    statements = Statements(graph, {})

    def reads(operand: int, pointer: str) -> str | None:
        return load(graph, scan.rows, type_, operand, pointer)

    lines = statements.write(scan.before, reads) + statements.read(scan.source, reads)
    lines.append(f"x = {statements.names[scan.source]}")
    if scan.mask is not None:
        lines += statements.read(scan.mask, lambda _, e: f"tl.load({e} + place, mask=inside, other=0).to(tl.float32)")
        lines[-2:] = [lines[-1], f"{lines[-2]} * {statements.names[scan.mask]}"]
    kernel = definitions("scan").replace("scan_kernel", f"{name}_kernel")
    kernel = kernel.replace(
        "    x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE\n    ",
        "".join(f"    {line}\n    " for line in lines),
    )
    names = [f"e{k}" for k in range(len(statements.operands))]
    kernel = kernel.replace("    x_pointer,", "   " + "".join(f" {e}_pointer," for e in names))
    if scan.name == "cumprod":
        kernel = kernel.replace("tl.where(inside, x, 0.0)", "tl.where(inside, x, 1.0)")
        kernel = kernel.replace("tl.cumsum(x, 1, reverse=REVERSE) +", "tl.cumprod(x, 1, reverse=REVERSE) *")
        kernel = kernel.replace("tl.full([LANES], 0.0", "tl.full([LANES], 1.0")
    outer, length, _ = scan.rows.sizes
    # 16 elements in each of 256 threads: four 16-byte loads on their way from each
    lanes = max(1, STEP // power_of_two(length))
    while lanes > 1 and -(-outer // lanes) < FILLS:
        lanes //= 2
    block = min(STEP, power_of_two(length))
    given = "".join(f"{e}.contiguous(), " for e in names)
    launcher = [
        f"def {name}({', '.join(names)}):",
        f'    """{scan.name} of {outer} rows of {length}: in blocks of {lanes} x {block}."""',
        f"    out = torch.empty({type_.shape}, dtype=torch.float32, device=e0.device)",
        f"    {name}_kernel[({-(-outer // lanes)},)](",
        f"        {given}out, ROWS={outer}, LENGTH={length}, LANES={lanes}, BLOCK={block},",
        f"        REVERSE={scan.reverse}, SHIFT={int(scan.exclusive)}, num_warps={max(4, lanes * block // 512)},",
        "    )",
        "    return out",
    ]
    return tuple(statements.operands), [kernel, "\n".join(launcher)]
