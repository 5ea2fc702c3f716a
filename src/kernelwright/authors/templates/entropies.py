"""Where a cross entropy of logits and classes becomes one pass over the logits, with the pointwise work in front.

PyTorch writes all logarithms of the softmax and reads one of each row; TorchInductor reads long rows twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph, Slot, TensorType
from kernelwright.authors.templates.epilogue import EXPRESSIONS, Statements, prologue, users_of
from kernelwright.authors.templates.kernels import definitions, functions
from kernelwright.authors.templates.losses import MEAN, SUM
from kernelwright.authors.templates.placing import with_calls
from kernelwright.authors.templates.reduction_text import load
from kernelwright.authors.templates.rows import Rows, cut, power_of_two

FEWEST_ELEMENTS = 1 << 20
"""Below this PyTorch's own kernels are over as soon as they are launched."""
FURTHEST = (1 << 31) - (1 << 16)
"""Offsets inside a row are 32-bit integers, those of the last block beyond its end too."""
NAMES = ("weight", "reduction", "ignore_index", "label_smoothing")
DEFAULTS = {"weight": None, "reduction": MEAN, "ignore_index": -100, "label_smoothing": 0.0}


@dataclass(frozen=True, slots=True)
class Entropy:
    """One cross entropy along the axis of the classes, which is the second one (the only one of a single row)."""

    node: int
    logits: int
    classes: int
    before: tuple[int, ...]
    rows: Rows
    reduction: int
    """``at::Reduction`` of PyTorch; 0 for one loss for each row."""
    ignored: int


def find(graph: Graph) -> list[Entropy]:
    """Every cross entropy of float32 logits and int64 classes, none of them weighted, that is large enough."""
    live, users = graph.live(), users_of(graph)
    found: list[Entropy] = []
    for position, node in enumerate(graph.nodes):
        attr = node.attr
        if node.op != "opaque" or attr["target"] != "aten.cross_entropy_loss.default" or not live[position]:
            continue
        if attr["args"][:2] != (Slot(0), Slot(1)) or len(node.args) != 2:
            continue
        given = DEFAULTS | dict(zip(NAMES, attr["args"][2:], strict=False)) | dict(attr["kwargs"])
        logits, classes = (graph.nodes[a].type for a in node.args)
        if not isinstance(logits, TensorType) or not isinstance(classes, TensorType):
            continue
        plain = given["weight"] is None and given["label_smoothing"] == 0 and given["reduction"] in (0, MEAN, SUM)
        if not plain or logits.dtype != "float32" or classes.dtype != "int64" or node.args[0] == node.args[1]:
            continue
        axis = min(logits.rank - 1, 1)
        rows = Rows(logits.shape[:axis], logits.shape[axis : axis + 1], logits.shape[axis + 1 :])
        _, length, inner = rows.sizes
        if rows.elements < FEWEST_ELEMENTS or length * inner >= FURTHEST:
            continue

        def free(moved: int, rows: Rows = rows, full: TensorType = logits) -> bool:
            node = graph.nodes[moved]
            readable = all(graph.nodes[a].op == "const" or load(graph, rows, full, a, "") for a in node.args)
            return node.op in EXPRESSIONS and node.type == full and live[moved] and readable

        before = tuple(sorted(prologue({position}, users, free)))
        found.append(Entropy(position, *node.args, before, rows, given["reduction"], given["ignore_index"]))
    return found


def place(graph: Graph, found: Sequence[Entropy]) -> tuple[Graph, str]:
    """The graph with calls in the cross entropies' places, and the text of the functions that these call."""
    own = functions("cross_entropy")
    texts = [definitions("exponentials"), functions("reduction")["rows_of"]]
    if any(entropy.reduction for entropy in found):
        texts.append(own["joined_entropies_kernel"])
    calls: dict[int, tuple[str, tuple[int, ...]]] = {}
    for number, entropy in enumerate(found, start=1):
        name = f"entropy_{number}"
        operands, lines = _prologue(graph, entropy)
        kernel = own["entropy_kernel"].replace("entropy_kernel", f"{name}_kernel")
        mark = "        x = tl.load(x_pointer + place, mask=inside, other=0.0)  # PROLOGUE\n"
        kernel = kernel.replace(mark, "".join(f"        {line}\n" for line in lines))
        names = [f"e{k}" for k in range(len(operands))]
        kernel = kernel.replace("    x_pointer,", "   " + "".join(f" {e}_pointer," for e in names), 1)
        texts += [kernel, _launcher(graph, entropy, name, names)]
        calls[entropy.node] = name, (*operands, entropy.classes)
    return with_calls(graph, calls), "\n\n\n".join(texts).replace("_statistics", "_exponentials")


def _prologue(graph: Graph, entropy: Entropy) -> tuple[tuple[int, ...], list[str]]:
    """What the kernel reads, and the lines that make ``x`` of it."""
    full = graph.nodes[entropy.logits].type
    assert isinstance(full, TensorType)
    statements = Statements(graph, {})

    def reads(operand: int, pointer: str) -> str | None:
        return load(graph, entropy.rows, full, operand, pointer)

    lines = statements.write(entropy.before, reads) + statements.read(entropy.logits, reads)
    return tuple(statements.operands), [*lines, f"x = {statements.names[entropy.logits]}"]


def _launcher(graph: Graph, entropy: Entropy, name: str, names: Sequence[str]) -> str:
    outer, length, inner = entropy.rows.sizes
    out = graph.nodes[entropy.node].type
    assert isinstance(out, TensorType)
    cut_ = cut(entropy.rows, 1, result=True)
    programs = -(-outer // cut_.lanes) if inner == 1 else outer * -(-inner // cut_.lanes)
    size = programs if entropy.reduction else outer * inner
    given = "".join(f"{e}.contiguous(), " for e in names)
    counts = "losses"
    lines = [
        f"def {name}({', '.join((*names, 'classes'))}):",
        f'    """{outer} x {inner} rows of {length} classes: in blocks of {cut_.lanes} x {cut_.block}."""',
        f"    losses = torch.empty({size}, dtype=torch.float32, device=e0.device)",
    ]
    if entropy.reduction:
        counts = "counts"
        lines.append(f"    counts = torch.empty({size}, dtype=torch.int32, device=e0.device)")
    lines += [
        f"    {name}_kernel[({programs},)](",
        f"        {given}classes.contiguous(), losses, {counts}, OUTER={outer}, LENGTH={length}, INNER={inner},",
        f"        LANES={cut_.lanes}, BLOCK={cut_.block}, IGNORED={entropy.ignored}, EACH={not entropy.reduction},",
        f"        num_warps={cut_.warps},",
        "    )",
    ]
    if not entropy.reduction:
        return "\n".join([*lines, f"    return losses.reshape({out.shape})"])
    block = min(8192, power_of_two(programs))
    return "\n".join(
        [
            *lines,
            "    out = torch.empty((), dtype=torch.float32, device=e0.device)",
            "    joined_entropies_kernel[(1,)](",
            f"        losses, counts, out, PROGRAMS={programs}, BLOCK={block}, MEAN={entropy.reduction == MEAN},",
            f"        num_warps={max(4, min(32, block // 256))},",
            "    )",
            "    return out",
        ]
    )
