"""A kernel a second time, for the CPU: all threads take each step before the next one begins (``kw_lockstep.h``).

On fibers each thread is a stack of its own, and each barrier or simd operation a change of stacks for each of them. In
lockstep the code between two of them is a loop over threads. That needs to know for whom conditions around them are the
same (``uniformity.py``), what each thread has to keep (``plan.py``) and what a program may do with its variables
(``locals.py``). A kernel for which any of this is not certain raises ``Unfit`` and runs on fibers; so does one whose
second form the compiler rejects.

What the compiler has to see to: uniform variables are constants in the steps of threads, so that a function which
changes one through a reference does not compile. What threads keep can only be numbers, vectors, pointers to memory
that is not a thread's, and arrays of numbers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from kernelwright.metal.language.declarations import Function
from kernelwright.metal.language.grammar import Code, Range
from kernelwright.metal.language.kernels import Kernel, parameter_name
from kernelwright.metal.language.locals import Level, Locals, Sort, Variable, parameters_of
from kernelwright.metal.language.plan import Plan
from kernelwright.metal.language.reach import Waiting
from kernelwright.metal.language.statements import Form, Unfit, parse_block
from kernelwright.metal.language.steps import Bring, Control, Guard, Node, Once, Piece, Simds, Step
from kernelwright.metal.language.stops import Answer, Call, Stops

_MOST_KEPT = 64
"""Variables of each thread: ``KW_KEPT_BYTES`` has room for no more."""
PREFIX = "kw_lockstep_"


def in_lockstep(code: Code, kernel: Kernel, functions: Sequence[Function], waiting: Waiting) -> str:
    """The second form of a kernel, a function on one line named as the kernel with ``kw_lockstep_`` before it.

    The program must have been translated otherwise. Raises ``Unfit``.
    """
    function = kernel.function
    first, last = function.end + 1, code.match[function.end]
    if code.text(function.name - 1) == "::":
        raise Unfit("a kernel that is defined outside of its namespace")
    others = [other for other in functions if other is not function]
    if any(code.texts[other.name] == kernel.name and other.body(code) for other in others):
        raise Unfit("another function of the same name, perhaps a specialisation")
    stops = Stops(code, (first, last), others, waiting)
    parameters = list(parameters_of(code, kernel))
    statements = parse_block(code, first, last)
    stops.refuse_spinning(statements)
    locals_ = Locals(code, statements, [variable for variable, _ in parameters], functions)
    plan = Plan(code, statements, locals_, stops, others)
    return _Writer(code, kernel, parameters, locals_, stops, plan).function()


class _Writer:
    """Writes the plan of one kernel as C++."""

    def __init__(
        self,
        code: Code,
        kernel: Kernel,
        parameters: Sequence[tuple[Variable, Range]],
        locals_: Locals,
        stops: Stops,
        plan: Plan,
    ):
        self._code, self._kernel, self._parameters = code, kernel, parameters
        self._locals, self._stops, self._plan = locals_, stops, plan
        self._kept = {variable: f"kw_{number}_{variable.name}" for number, variable in enumerate(plan.kept)}
        self._bound: dict[int, str] = {}
        """What stands in place of an operation on a SIMD-group, by the position where it begins."""
        self._types: dict[Variable, str] = {}

    def function(self) -> str:
        code, function = self._code, self._kernel.function
        addressed = self._locals.addressed(function.end, code.match[function.end])
        if len(self._kept) > _MOST_KEPT:
            raise Unfit(f"{len(self._kept)} variables that outlive a step")
        if found := next((v for v in self._kept if v in addressed or v.sort is Sort.REFERENCE), None):
            raise Unfit(f"{found.name}, which something refers to beyond a step")
        result = max(i for i in range(function.start, function.name) if code.texts[i] == "void")
        header = self._spelled(((function.start, function.name),), {result: "bool"})
        given = ["kw::Team& kw_team"]
        for variable, where in self._parameters:
            name = parameter_name(code, where)
            shown = self._spelled((where,), {name: ""} if variable.attribute else {})
            if variable.attribute:
                self._types[variable] = shown
            given.append(shown)
        body = " ".join([self._kept_parameters(), *map(self._group, self._plan.nodes)])
        return f" {header} {PREFIX}{self._kernel.name}({', '.join(given)}) {{ {body} return true; }}"

    def _kept_parameters(self) -> str:
        """Parameters that threads modify, one for each."""
        return " ".join(
            f"kw::Each<decltype({v.name})> {name}(kw_team); "
            f"for (uint kw_t = 0; kw_t < kw_team.threads; kw_t++) {name}[kw_t] = {v.name};"
            for v, name in self._kept.items()
            if v.parameter
        )

    def _kept_in(self, node: Simds) -> str:
        """Memory for the variables that outlive the step that declares them."""
        return " ".join(
            self._memory(variable, name)
            for variable, name in self._kept.items()
            if self._plan.declared_in.get(variable) == node.number
        )

    def _memory(self, variable: Variable, name: str) -> str:
        if variable.pointer and not variable.spaces & {"device", "constant", "threadgroup"}:
            raise Unfit(f"{variable.name}, which may point to a variable of its thread")
        words = variable.type.split()
        if "auto" not in words:
            return f"kw::Each<{variable.type}> {name}(kw_team);"
        if words not in (["auto"], ["const", "auto"], ["auto", "const"]):
            raise Unfit(f"{variable.name}, whose type is not written")
        initialiser = self._locals.initialisers[variable]
        inner = (
            f"{self._simd_attributes('kw_at')} {self._bindings(self._locals.mentioned(*initialiser), set())} "
            f"return {self._spelled((initialiser,))};"
        )
        return (
            f"const auto {name}_of = [&](const kw::Place& kw_at, uint kw_thread) KW_STEP {{ {inner} }}; "
            f"kw::Each<kw::number_or_vector<decltype({name}_of(kw_team.at, 0u))>> {name}(kw_team);"
        )

    # ---- levels

    def _group(self, node: Node) -> str:
        if isinstance(node, Simds):
            memory = self._kept_in(node)  # first: in types the operations stand as they are
            inner = " ".join(map(self._simd, node.nodes))
            return f"{memory} KW_SIMDS {{ KW_SIMD {self._simd_attributes()} {inner} }}"
        if isinstance(node, Guard):
            return self._guard(node)
        return self._shared(node, self._group)

    def _simd(self, node: Node) -> str:
        if isinstance(node, Step):
            return self._step(node)
        if isinstance(node, Bring):
            return self._bring(node)
        return self._shared(node, self._simd)

    def _shared(self, node: Node, inside: Callable[[Node], str]) -> str:
        if isinstance(node, Once):
            return self._piece(node.piece)
        assert isinstance(node, Control)
        statement = node.statement
        bodies = [f"{{ {' '.join(map(inside, part))} }}" for part in node.parts]
        condition = self._spelled((statement.condition,))
        match statement.form:
            case Form.BLOCK:
                return bodies[0]
            case Form.IF:
                constant = "constexpr " if self._code.text(statement.first + 1) == "constexpr" else ""
                return f"if {constant}({condition}) " + " else ".join(bodies)
            case Form.WHILE:
                return f"while ({condition}) {bodies[0]}"
            case _:
                start = " ".join(self._piece(piece) for piece in node.start) or ";"
                if len(node.start) > 1:
                    raise Unfit("a loop with several variables")
                return f"for ({start} {condition}; {self._spelled((statement.step,))}) {bodies[0]}"

    def _simd_attributes(self, place: str = "kw::place_of(kw_team, kw_simd)") -> str:
        return " ".join(
            f"const auto {v.name} = kw::attribute<__remove_cv({type_})>({v.attribute}, {place});"
            for v, type_ in self._types.items()
            if v.level is Level.SIMD
        )

    # ---- steps of threads

    def _guard(self, node: Guard) -> str:
        condition, mentioned = self._spelled((node.condition,)), self._locals.mentioned(*node.condition)
        copies, shadows = self._shadows(mentioned)
        step = f"KW_THREADS {{ KW_THREAD {self._bindings(mentioned, set())} kw_gone += bool({condition}); }}"
        return (
            "{ uint kw_gone = 0; "
            f"KW_SIMDS {{ KW_SIMD {self._simd_attributes()} {copies}{{ {shadows}{step} }} }} "
            "if (kw_gone == kw_team.threads) return true; if (kw_gone) return false; }"
        )

    def _bring(self, node: Bring) -> str:
        call, number = node.call, node.number
        given = self._spelled((call.arguments[0],))
        if call.name in ("simd_any", "simd_all"):
            given = f"bool({given})"
        mentioned = self._locals.mentioned(*call.arguments[0])
        copies, shadows = self._shadows(mentioned, f"b{number}")
        inner = f"{shadows}{self._bindings(mentioned, set())} return {given};"
        brought = (
            f"{copies}const auto kw_b{number} = kw::bring(kw_team, kw_simd, "
            f"[&](const kw::Place& kw_at, uint kw_thread) KW_STEP {{ {inner} }});"
        )
        rest = "".join(f", {self._spelled((argument,))}" for argument in call.arguments[1:])
        if call.answer is Answer.CHOSEN:
            result = f"metal::kw_of_{call.name}(kw_b{number}, kw_thread - kw_simd.first{rest})"
        else:
            brought += f" const auto kw_r{number} = metal::kw_all_{call.name}(kw_b{number});"
            result = f"kw_r{number}" if call.answer is Answer.SAME else f"kw_r{number}.value[kw_thread - kw_simd.first]"
        self._bound[call.where[0]] = result
        return brought

    def _step(self, step: Step) -> str:
        if not step.pieces:
            return ""
        ranges = [where for piece in step.pieces for where in piece.ranges]
        mentioned = {v for where in ranges for v in self._locals.mentioned(*where)}
        modified = {v for where in ranges for v in self._locals.modified(*where)}
        declared = {v for piece in step.pieces for v in self._declared_here(piece)}
        outside = {v for v in mentioned if v not in self._locals_of(step)}
        names = [v.name for v in outside | declared]
        if len(names) != len(set(names)):
            raise Unfit("two variables of one name in one step")
        bindings = self._bindings(outside, modified)
        changed = [v for v in self._kept if v in declared or (v in outside and v in modified)]
        after = " ".join(
            f"kw::keep({self._kept[v]}[kw_thread], {v.name});" for v in changed if not self._is_in_place(v, declared)
        )
        copies, shadows = self._shadows(outside)
        if step.stride is None:
            code = " ".join(map(self._piece, step.pieces)) if not step.tail else self._tail(step)
            loop = f"KW_THREADS {{ KW_THREAD {bindings} {{ {code} {after} }} }}"
        else:
            loop = self._stride(step, bindings, after)
        return f"{{ {copies}{{ {shadows}{loop} }} }}"

    def _tail(self, step: Step) -> str:
        (piece,) = step.pieces
        returns = {i: "goto kw_end" for i in range(*piece.where) if self._code.texts[i] == "return"}
        return f"{{ {self._spelled((piece.where,), returns)} }} kw_end:;"

    def _stride(self, step: Step, bindings: str, after: str) -> str:
        stride = step.stride
        assert stride is not None
        type_, limit = stride.type, self._spelled((stride.limit,))
        width = self._spelled((stride.step,)) if stride.step[0] < stride.step[1] else "1"
        start = self._spelled((stride.start,))
        body = self._spelled((stride.body.where,))
        return (
            f"const kw::Stride<{type_}, decltype({type_}() + ({limit}))> "
            f"kw_stride({limit}, {width}, {'true' if stride.inclusive else 'false'}); "
            "uint kw_more = 1; for (long kw_round = 0; kw_more; kw_round++) { kw_more = 0; "
            f"KW_THREADS {{ KW_THREAD {bindings} "
            f"const long kw_count = kw_stride.count({type_}({start}), kw_round); "
            "const bool kw_in = kw_stride.has(kw_count); kw_more |= kw_in; "
            f"if (kw_in) {{ const {type_} {stride.name} = {type_}(kw_count); {body} }} {after} }} }}"
        )

    def _is_in_place(self, variable: Variable, declared: set[Variable]) -> bool:
        """Whether a step works in the memory that outlives it, and not on a copy: arrays, once they have values."""
        first, last = self._locals.initialisers.get(variable, (0, 0))
        return variable.sort is Sort.ARRAY and (variable not in declared or first == last)

    def _locals_of(self, step: Step) -> set[Variable]:
        """What code of the step declares."""
        found = {piece.variable for piece in step.pieces if piece.variable is not None}
        return found.union(*(self._locals.declared(*p.where) for p in step.pieces if p.variable is None))

    def _declared_here(self, piece: Piece) -> set[Variable]:
        """Variables that other pieces of the step see, too."""
        return {piece.variable} if piece.variable is not None else set()

    def _bindings(self, mentioned: set[Variable], modified: set[Variable]) -> str:
        """Declarations that give a thread its variables; with those of its attributes."""
        written: list[str] = []
        for variable in sorted(mentioned, key=lambda v: v.name):
            if variable in self._types and variable.level is Level.THREAD:
                type_ = f"__remove_cv({self._types[variable]})"
                written.append(f"const auto {variable.name} = kw::attribute<{type_}>({variable.attribute}, kw_at);")
            elif name := self._kept.get(variable):
                constant = "" if variable in modified else "const "
                mark = "&" if variable.sort is Sort.ARRAY else ""
                written.append(f"{constant}auto{mark} {variable.name} = {name}[kw_thread];")
        return " ".join(written)

    def _shadows(self, mentioned: set[Variable], tag: str = "c") -> tuple[str, str]:
        """Constants in place of variables that are not a thread's own, in two blocks: they have the same names."""
        names = sorted(
            v.name for v in mentioned if v.sort is Sort.VALUE and v.level is not Level.THREAD and not v.fixed
        )
        copies = "".join(f"const auto kw_{tag}_{name} = {name}; " for name in names)
        return copies, "".join(f"const auto {name} = kw_{tag}_{name}; " for name in names)

    # ---- text

    def _piece(self, piece: Piece) -> str:
        if piece.variable is None:
            returns = self._code.texts[piece.statement.first] == "return"  # not of a thread: see _tail
            return "return true;" if returns else self._spelled(piece.ranges)
        if piece.variable in self._kept and self._is_in_place(piece.variable, {piece.variable}):
            return f"auto& {piece.variable.name} = {self._kept[piece.variable]}[kw_thread];"
        return f"{self._spelled(piece.ranges)};"

    def _spelled(self, ranges: Iterable[Range], replaced: Mapping[int, str] | None = None) -> str:
        """The ranges after translation, with what stands in place of operations on SIMD-groups."""
        code = self._code
        calls: dict[int, Call] = {call.where[0]: call for call in self._stops.calls}
        words: list[str] = []
        for first, last in ranges:
            i = first
            while i < last:
                token = code.tokens[i]
                text = token.text
                if replaced is not None and i in replaced:
                    text = replaced[i]
                elif i in calls and i in self._bound:
                    text, i = self._bound[i], calls[i].where[1] - 1
                elif text == ">" and i > first and code.tokens[i - 1].text == ">":
                    before = code.tokens[i - 1].place
                    if (before.line, before.column + 1) == (token.place.line, token.place.column):
                        words[-1] += ">"  # a shift
                        text = ""
                if text:
                    words.append(text)
                i += 1
        return " ".join(words)
