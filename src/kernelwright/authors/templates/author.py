"""The Authors that write Triton kernels from templates: alone, after the rewriter, and with TorchInductor."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from kernelwright.authors import forms
from kernelwright.authors.author import Task
from kernelwright.authors.graph.text import WIDTH
from kernelwright.authors.modes import compile_modes
from kernelwright.authors.replaying import REPLAYED, copies_little
from kernelwright.authors.templates import tuning
from kernelwright.authors.templates.catalogue import TEMPLATES, Choose, Template
from kernelwright.authors.templates.products import by_size
from kernelwright.authors.templates.ways import Way, next_way
from kernelwright.judge.gate import gate_at
from kernelwright.schema import Attempt, Candidate, Target

if TYPE_CHECKING:
    from kernelwright.authors.graph.capture import Captured
    from kernelwright.authors.graph.ir import Graph

IMPORTS = ("import triton", "import triton.language as tl", "from triton.language.extra import libdevice")
SURE = frozenset(
    {
        "split products",
        "half convolutions",
        "threefold convolutions",
        "implicit-GEMM convolutions",
        "implicit-GEMM convolutions in tf32",
    }
)
"""Titles of the templates that use faster units of the device than PyTorch does; any other may hold a file back."""
EXACT = 1e-6
"""Eager's error up to which it can have computed no convolution in tf32, whose rounding unit is 5e-4."""
FEWEST_LEFT = 2
"""Operations beside the templates from which on compiling them can gain anything."""


@dataclass(frozen=True, slots=True)
class Form:
    """A graph to start from, and what was done to it."""

    captured: "Captured"
    graph: "Graph"
    doc: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplatesAuthor:
    """A form of the reference with kernels from templates where they fit.

    Proposes it twice, called as it is and, unless its inputs are large, replayed as one CUDA graph: which is faster
    depends on their size and on the number of kernels, so both are measured. Then, where others fit beside products and
    convolutions, these alone, called in the better way: one kernel that is slower than PyTorch's drags the rest down.
    Where the reference is too exact for convolutions in tf32, and where those in float16 turn out to be less exact than
    its own, it does without them (``next_way``). ``compiled``: everything between the templates is compiled by
    TorchInductor; nothing is proposed where there is next to nothing between them. Nor is it where no template fits.
    """

    name: str
    start: Callable[[Task], Form]
    compiled: bool = False
    trusted: bool = True
    targets: frozenset[Target] = frozenset({Target.TRITON})

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The next way to call it. Raises ``AuthorError`` where the module cannot be captured as a graph."""
        if any(attempt.candidate is None for attempt in history):
            return None
        wanted = task.platform == "cuda" and task.target in (None, Target.TRITON)
        halves = task.eager_error is None or task.eager_error > EXACT
        replays = not (wanted and history) or copies_little(self.start(task).graph)
        way = next_way(history, replays=replays, halves=halves)
        written = self._write(task, way) if wanted and way is not None else None
        if way is None or written is None or task.target not in (None, written.target):
            return None
        how = ("only " * way.sure + written.title, "compiled" * self.compiled, REPLAYED * way.replayed)
        title = ", ".join(part for part in how if part)
        return Candidate(
            source=written.source, author=self.name, title=title, explanation=written.explanation, target=written.target
        )

    def _write(self, task: Task, way: Way) -> "Written | None":
        """``None`` where no template fits, and for the sure ones alone where no other does."""
        form, choose = self.start(task), tuning.on_this_device(gate_at(task.gate))
        decorator = f"@{compile_modes(task.platform)[0].call}" if self.compiled else ""

        def written(only: Collection[str] | None) -> Written | None:
            around = "replayed" * way.replayed
            return write(form, around=around, decorator=decorator, halves=way.halves, only=only, choose=choose)

        every = written(None)
        if not way.sure or every is None:
            return every
        alone = written(SURE)
        return None if alone == every else alone


@dataclass(frozen=True, slots=True)
class Written:
    """A file, and what is said about it."""

    source: str
    title: str
    explanation: str
    target: Target
    """PyTorch where no template brought a kernel: threefold convolutions alone have none."""


def write(
    form: Form,
    *,
    around: str = "",
    decorator: str = "",
    halves: bool = True,
    only: Collection[str] | None = None,
    choose: Choose | None = None,
) -> Written | None:
    """The graph with every template that fits, printed; ``None`` where none does, or nothing is left to compile.

    ``halves``: convolutions in float16, where PyTorch's are in tf32. ``only``: titles of the templates to use; all
    of them for ``None``. ``choose``: the tile of each product.
    """
    from kernelwright.authors.graph.printer import print_module

    graph, texts, used = form.graph, list[str](), list[Template]()
    for template in TEMPLATES:
        wanted = (halves or not template.tf32) and template.compiled in (None, bool(decorator))
        wanted = wanted and (only is None or template.title in only)
        placed = template.place(graph, choose or by_size) if wanted else None
        if placed is not None:
            graph, text = placed
            texts.append(text)
            used.append(template)
    if not used or (decorator and _left(graph) < FEWEST_LEFT):
        return None
    # templates that need the same function each bring it
    functions = "\n\n\n".join(dict.fromkeys(part for text in texts for part in text.split("\n\n\n")))
    target = Target.TRITON if "@triton.jit" in functions else Target.TORCH
    imports = () if target is Target.TORCH else IMPORTS
    imports = tuple(line for line in imports if "libdevice" not in line or "libdevice." in functions)
    doc = [*(form.doc or ("The reference with kernels from templates.",))]
    doc += [line for says in dict.fromkeys(one.says for one in used) for line in fill(says, WIDTH).splitlines()]
    source = print_module(
        form.captured, doc=doc, graph=graph, fold=True, decorator=decorator, imports=imports, functions=functions,
        around=around,
    )  # fmt: skip
    return Written(source, " and ".join(dict.fromkeys(one.title for one in used)), "\n".join(doc), target)


def _left(graph: "Graph") -> int:
    """Operations on live values that are neither a template's call nor a view."""
    from kernelwright.authors.graph.ops import LEAVES, VOCABULARY

    free = LEAVES | {"call", "getitem"} | {name for name, op in VOCABULARY.items() if op.view}
    return sum(live and node.op not in free for node, live in zip(graph.nodes, graph.live(), strict=True))


def as_it_is(task: Task) -> Form:
    """The reference's own graph."""
    captured = forms.captured(task.problem)
    return Form(captured, captured.graph)


def rewritten(task: Task) -> Form:
    """The cheapest form that the rewriter finds: the reference's own where no rule lowers the estimated cost."""
    from kernelwright.authors.rewriter.author import WORTH_IT, describe

    found = forms.rewritten(task.problem, task.platform)
    share = found.cost / max(found.cost_before, 1)
    if not found.applied or share > WORTH_IT:
        return as_it_is(task)
    return Form(forms.captured(task.problem), found.graph, tuple(describe(found.applied, share)))


def alone() -> TemplatesAuthor:
    """``templates``"""
    return TemplatesAuthor("templates", as_it_is)


def after_rewriter() -> TemplatesAuthor:
    """``rewriter+templates``"""
    return TemplatesAuthor("rewriter+templates", rewritten)


def inside_inductor() -> TemplatesAuthor:
    """``rewriter+templates+inductor``"""
    return TemplatesAuthor("rewriter+templates+inductor", rewritten, compiled=True)
