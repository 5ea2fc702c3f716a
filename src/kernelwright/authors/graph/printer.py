"""A Graph as a readable file that defines ``ModelNew``."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kernelwright.authors.graph.calls import bare, grouped
from kernelwright.authors.graph.capture import Captured
from kernelwright.authors.graph.expressions import expression
from kernelwright.authors.graph.ir import FLOATS, SCALAR, Graph, Node, Slot, TensorType
from kernelwright.authors.graph.layout import Layout, lay_out
from kernelwright.authors.graph.literals import value_code
from kernelwright.authors.graph.names import Names, hint, role_of
from kernelwright.authors.graph.opaque import operator_schema
from kernelwright.authors.graph.ops import VOCABULARY
from kernelwright.authors.graph.text import HELPERS, WIDTH, comment, module_text, wrapped

INLINE = frozenset({"weight", "const", "getitem"})
"""Operations that are written where they are used, not as a statement of their own."""


def print_module(
    captured: Captured,
    *,
    doc: Sequence[str],
    graph: Graph | None = None,
    fold: bool = False,
    decorator: str = "",
    imports: Sequence[str] = (),
    functions: str = "",
    around: str = "",
) -> str:
    """The text of a file whose ``ModelNew`` computes ``graph`` (by default the captured one, as it is).

    ``doc`` becomes the file's docstring. With ``fold``, work on weights alone moves to ``_fold``, which runs at
    construction and after every ``load_state_dict``. ``decorator`` is a line above ``forward``; ``functions`` is
    the text of those that the graph's ``call`` nodes name, ``imports`` what they need; ``around`` is what forward is
    wrapped into (``cloned`` or ``replayed``, see ``text.AROUND``). Raises ``AuthorError`` if a constant of the module
    is too large to be written down.
    """
    graph = (captured.graph if graph is None else graph).pruned()
    used = {node.attr["name"] for node in graph.nodes if node.op == "weight"}
    layout = lay_out(captured.module, {name: t for name, t in captured.constants.items() if name in used})
    printer = _Printer(graph, captured, layout)
    folded = printer.fold_lines() if fold else []
    return module_text(
        doc=doc,
        layout=layout.lines,
        fold=folded,
        parameters=captured.interface.parameters,
        forward=[*printer.entry_lines(), *printer.forward_lines()],
        decorator=decorator,
        helpers=printer.helpers,
        imports=imports,
        functions=functions,
        around=around,
    )


@dataclass
class _Printer:
    graph: Graph
    captured: Captured
    layout: Layout
    helpers: set[str] = field(default_factory=set)
    folded: dict[int, str] = field(default_factory=dict)
    """Positions that ``_fold`` computes, and the attribute each is kept under."""

    def __post_init__(self) -> None:
        self.nodes = self.graph.nodes
        self.live = self.graph.live()
        self.notes = dict(self.graph.notes)

    # -- forward ------------------------------------------------------------------------------------------------

    def entry_lines(self) -> list[str]:
        """What ``forward`` was written for: shapes in words, other arguments as checks."""
        inputs = {n.attr["index"]: n.type for n in self.captured.graph.nodes if n.op == "input"}
        shown = [
            f"{access} {type_.dtype} {list(type_.shape)}"
            for access, type_ in ((self.captured.interface.inputs[i], inputs[i]) for i in sorted(inputs))
            if isinstance(type_, TensorType)
        ]
        lines = [f'"""For {", ".join(shown)}."""'] if shown else []
        for access, value in self.captured.interface.baked:
            lines.append(f"if {access} {'is not' if value is None else '!='} {value_code(value)}:")
            lines.append(f"    raise ValueError({value_code(f'written for {access} = {value!r}')})")
        return lines

    def forward_lines(self) -> list[str]:
        """Statements of ``forward``, the return included."""
        interface = self.captured.interface
        device = f"{interface.inputs[0]}.device" if interface.inputs else self._weight_device()
        order = self._order()
        uses = Counter(arg for p in order for arg in self._variables(p))
        uses.update(v for out in self.graph.outputs for v in self._variables_of(out))
        names = Names([*interface.parameters, *self._functions()])
        written: dict[int, str] = {}
        kept = {target for target, _ in interface.writes}
        lines: list[str] = []
        for p in order:
            node = self.nodes[p]
            if node.op == "input":
                written[p] = interface.inputs[node.attr["index"]]
                continue
            code = self._code(p, written, device)
            dying = [v for v in self._variables(p) if uses[v] == 1 and written[v].isidentifier()]
            for v in self._variables(p):
                uses[v] -= 1
            free = [written[v] for v in dying if uses[v] == 0 and written[v] not in kept]
            if not isinstance(node.type, TensorType):
                free = []  # a name that held a tensor stays one: its device may be asked for
            written[p] = free[0] if free else names.letter()
            for spare in set(free[1:]) - set(interface.parameters):
                names.release(spare)
            if p in self.notes:
                lines += comment(self.notes[p])
            lines += wrapped(f"{written[p]} = {code}")
        return lines + self._endings(written, device)

    def _endings(self, written: dict[int, str], device: str) -> list[str]:
        """In-place effects of the reference, then the return."""
        interface = self.captured.interface
        shown = [self._atom(out, written, device) for out in self.graph.outputs]
        taken: set[int] = set()
        for slot in _slots(interface.output):
            base = self._base(self.graph.outputs[slot])
            borrowed = self.nodes[base].op in ("input", "weight") or base in self.folded or base in taken
            if borrowed and interface.fresh[slot]:
                shown[slot] += ".clone()"
            taken.add(base)
        lines: list[str] = []
        for target, slot in interface.writes:
            reached = self.layout.access.get(target.removeprefix("self."), target)
            lines.append(f"{reached}.copy_({shown[slot]})")
        return [*lines, *wrapped(f"return {output_code(interface.output, shown)}")]

    def _order(self) -> list[int]:
        """Positions that ``forward`` writes a statement for (inputs included), in order."""
        needed = [False] * len(self.nodes)
        for out in self.graph.outputs:
            needed[out] = True
        for p in range(len(self.nodes) - 1, -1, -1):
            if needed[p] and p not in self.folded:
                for arg in self.nodes[p].args:
                    needed[arg] = True
        return [p for p in range(len(self.nodes)) if needed[p] and p not in self.folded and not self._inline(p)]

    def _inline(self, p: int) -> bool:
        node = self.nodes[p]
        return (
            node.op in INLINE
            or _number(node)
            or (node.op in VOCABULARY and VOCABULARY[node.op].view and self._weight_view(p))
        )

    def _weight_view(self, p: int) -> bool:
        """A reshaped or permuted weight: an expression, not work."""
        node = self.nodes[p]
        if node.op == "weight":
            return True
        return node.op in VOCABULARY and VOCABULARY[node.op].view and self._weight_view(node.args[0])

    def _variables(self, p: int) -> list[int]:
        """Positions of the variables that the statement at ``p`` reads."""
        return [v for arg in self.nodes[p].args for v in self._variables_of(arg)]

    def _variables_of(self, p: int) -> list[int]:
        if p in self.folded:
            return []
        return self._variables(p) if self._inline(p) else [p]

    def _atom(self, p: int, written: dict[int, str], device: str) -> str:
        node = self.nodes[p]
        if p in self.folded:
            return f"self.{self.folded[p]}"
        if p in written:
            return written[p]
        if node.op == "weight":
            return self.layout.access[node.attr["name"]]
        if node.op == "const":
            return value_code(node.attr["value"])
        return grouped(self._code(p, written, device))

    def _code(self, p: int, written: dict[int, str], device: str) -> str:
        node = self.nodes[p]
        if node.op in HELPERS:
            self.helpers.add(node.op)
        return expression(node, [self._atom(a, written, device) for a in node.args], self._types(node), device)

    def _types(self, node: Node) -> list[TensorType]:
        return [t for t in (self.nodes[a].type for a in node.args) if isinstance(t, TensorType)]

    def _base(self, p: int) -> int:
        """The node that owns the storage that ``p`` shows."""
        while p not in self.folded and self._is_view(p):
            p = self.nodes[p].args[0]
        return p

    def _is_view(self, p: int) -> bool:
        node = self.nodes[p]
        if node.op == "getitem":
            return self._is_view(node.args[0])
        if node.op == "opaque":
            return any(r.alias_info is not None for r in operator_schema(node.attr["target"]).returns)
        return node.op in VOCABULARY and VOCABULARY[node.op].view

    def _weight_device(self) -> str:
        names = [n.attr["name"] for n in self.nodes if n.op == "weight"]
        return f"{self.layout.access[names[0]]}.device" if names else ""

    # -- fold ---------------------------------------------------------------------------------------------------

    def fold_lines(self) -> list[str]:
        """Statements of ``_fold``; afterwards ``forward`` reads their results as attributes."""
        frontier = self._frontier()
        if not frontier:
            return []
        order: list[int] = []
        for p in frontier:
            self._collect(p, order)
        uses = Counter(a for p in order for a in self.nodes[p].args)
        names = Names(self._functions())
        written: dict[int, str] = {}
        lines: list[str] = []
        for p in order:
            node = self.nodes[p]
            code = self._fold_code(p, written)
            if p in self.notes:
                lines += comment(self.notes[p])
            if p in frontier:
                name = names.new(frontier[p].removeprefix("folded_"))
                lines += wrapped(f"{name} = {code}")
                lines += wrapped(f'self.register_buffer("{frontier[p]}", {self._narrowed(p, name)}, persistent=False)')
                written[p] = name
            elif _number(node) or (
                uses[p] == 1 and len(code) < WIDTH // 2 and p not in self.notes and node.op != "getitem"
            ):
                written[p] = grouped(code)
            elif node.op == "weight" and uses[p] == 1:
                written[p] = code
            else:
                written[p] = names.new(node.attr["name"].replace(".", "_") if node.op == "weight" else hint(node))
                lines += wrapped(f"{written[p]} = {code}")
        self.folded |= frontier
        return lines

    def _fold_code(self, p: int, written: dict[int, str]) -> str:
        """One operation inside ``_fold``: the vocabulary's take and give float64, all others what the module holds."""
        node = self.nodes[p]
        if node.op == "weight":
            return self.layout.access[node.attr["name"]]
        if node.op == "full" and _wide(node):
            return f"torch.full({value_code(_shape(node))}, {value_code(node.attr['value'])}, dtype=torch.float64)"
        args: list[str] = []
        for a in node.args:
            arg = self.nodes[a]
            if arg.op == "const":
                args.append(value_code(arg.attr["value"]))
            elif _wide(node) and not _wide(arg) and _floating(arg):
                self.helpers.add("wide")
                args.append(f"wide({bare(written[a])})")
            elif _wide(arg) and not _wide(node):
                args.append(f"{written[a]}.to(torch.{arg.type.dtype})")  # type: ignore[union-attr]
            else:
                args.append(written[a])
        if node.op in HELPERS:
            self.helpers.add(node.op)
        return expression(node, args, self._types(node), self._weight_device())

    def _frontier(self) -> dict[int, str]:
        """Weight-only work whose result is needed beside inputs, with the attribute it is kept under."""
        found: dict[int, str] = {}
        taken: Counter[str] = Counter()
        for p, node in enumerate(self.nodes):
            if self.live[p]:
                for place, arg in enumerate(node.args):
                    self._keep(arg, role_of(node, place), found, taken)
        for out in self.graph.outputs:
            self._keep(out, "output", found, taken)
        return found

    def _keep(self, p: int, role: str, found: dict[int, str], taken: Counter[str]) -> None:
        node = self.nodes[p]
        leaf = node.op in ("weight", "const")
        if self.live[p] or p in found or leaf or self._inline(p) or not isinstance(node.type, TensorType):
            return
        role = node.attr["function"] if node.op == "call" else role
        source = next(iter(self._weights(p)), "")
        owner = source.rpartition(".")[0].replace(".", "_")
        name = "_".join(part for part in ("folded", owner, role) if part)
        taken[name] += 1
        found[p] = name if taken[name] == 1 else f"{name}_{taken[name]}"

    def _weights(self, p: int) -> list[str]:
        """Names of the weights below ``p``, the first argument's first."""
        node = self.nodes[p]
        own = [node.attr["name"]] if node.op == "weight" else []
        return own + [name for a in node.args for name in self._weights(a)]

    def _functions(self) -> list[str]:
        """Names that calls need: a variable of such a name would hide the function."""
        return [node.attr["function"] for node in self.nodes if node.op == "call"]

    def _collect(self, p: int, order: list[int]) -> None:
        node = self.nodes[p]
        if p in order or node.op == "const":
            return
        for a in node.args:
            self._collect(a, order)
        order.append(p)

    def _narrowed(self, p: int, name: str) -> str:
        """The result in the dtype and on the device of the module's own tensors."""
        node = self.nodes[p]
        assert isinstance(node.type, TensorType)
        if not _wide(node):
            return name
        for weight in self._weights(p) or [n.attr["name"] for n in self.nodes if n.op == "weight"]:
            type_ = next(n.type for n in self.nodes if n.op == "weight" and n.attr["name"] == weight)
            if isinstance(type_, TensorType) and type_.dtype == node.type.dtype:
                return f"{name}.to({self.layout.access[weight]})"
        return f"{name}.to(torch.{node.type.dtype})"


def _shape(node: Node) -> tuple[int, ...]:
    assert isinstance(node.type, TensorType)
    return node.type.shape


def _number(node: Node) -> bool:
    """A Python number, or arithmetic on such."""
    return isinstance(node.type, TensorType) and node.type.dtype == SCALAR


def _wide(node: Node) -> bool:
    """Computed in float64 inside ``_fold``: floating-point work that the vocabulary knows."""
    known = node.op in VOCABULARY or node.op == "full"
    return known and _floating(node)


def _floating(node: Node) -> bool:
    return isinstance(node.type, TensorType) and node.type.dtype in FLOATS


def _slots(output: Any) -> list[int]:
    if isinstance(output, Slot):
        return [output.position]
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else ()
    return [slot for part in parts for slot in _slots(part)]


def output_code(output: Any, shown: Sequence[str]) -> str:
    """The output's structure with its tensors' expressions."""
    if isinstance(output, Slot):
        return shown[output.position]
    if isinstance(output, dict):
        return "{" + ", ".join(f"{value_code(k)}: {output_code(v, shown)}" for k, v in output.items()) + "}"
    if isinstance(output, list):
        return "[" + ", ".join(output_code(v, shown) for v in output) + "]"
    if isinstance(output, tuple):
        inner = ", ".join(output_code(v, shown) for v in output)
        return f"({inner},)" if len(output) == 1 else f"({inner})"
    return value_code(output)
