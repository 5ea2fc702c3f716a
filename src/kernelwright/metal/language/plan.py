"""How a kernel is cut into steps for lockstep: which code runs once, once for each SIMD-group, and for each thread.

The plan is made again until it is consistent: what a step for threads modifies becomes a variable of each thread, which
may move other code, that depends on it, to a step for threads.
"""

from collections.abc import Iterable, Sequence

from kernelwright.metal.language.declarations import Function
from kernelwright.metal.language.grammar import Code, Range
from kernelwright.metal.language.jumps import escapes, with_tail
from kernelwright.metal.language.locals import ASSIGNMENTS, STEPS, Level, Locals, Sort, Variable
from kernelwright.metal.language.statements import Form, Statement, Unfit, is_type_name
from kernelwright.metal.language.steps import Bring, Control, Guard, Node, Once, Piece, Simds, Step
from kernelwright.metal.language.stops import Call, Stops
from kernelwright.metal.language.strides import Stride, stride_of
from kernelwright.metal.language.uniformity import Uniformity, is_conditional


class Plan:
    """The steps of one kernel. Raises ``Unfit``."""

    def __init__(
        self, code: Code, statements: Sequence[Statement], locals_: Locals, stops: Stops, functions: Sequence[Function]
    ):
        body = (statements[0].first, statements[-1].last) if statements else (0, 0)
        self._code, self._locals, self._stops = code, locals_, stops
        self._uniformity = Uniformity(code, body, locals_, stops, functions)
        self._statements, self._tail = with_tail(code, statements, stops)
        self.kept: list[Variable] = []
        """Variables of each thread that outlive a step."""
        self.declared_in: dict[Variable, int] = {}
        """The number of the ``Simds`` that declares a variable of each thread."""
        self.nodes: list[Node] = []
        while not self._is_planned():
            pass
        self._keep()

    def _is_planned(self) -> bool:
        """Makes the plan; whether no variable turned out to be less uniform than it was taken for."""
        self._steps = self._blocks = 0
        self._changed = False
        self._used: dict[Variable, set[int]] = {}
        self._declared: dict[Variable, int] = {}
        self._simd_used: dict[Variable, set[int]] = {}
        self.nodes = self._group(self._statements)
        for variable, blocks in self._simd_used.items():
            if variable.home is Level.SIMD and len(blocks) > 1:  # it would not outlive its block
                self._raise(variable, Level.THREAD)
        return not self._changed

    def _keep(self) -> None:
        for variable, steps in self._used.items():
            if variable.level is not Level.THREAD or variable.attribute or steps == {self._declared.get(variable)}:
                continue
            if variable.sort is Sort.REFERENCE and variable not in self._declared:
                continue  # a parameter
            self.kept.append(variable)

    def _raise(self, variable: Variable, level: Level) -> None:
        if variable.parameter and level is Level.SIMD:
            level = Level.THREAD
        if level > variable.level:
            if variable.attribute:
                raise Unfit(f"{variable.name}, which is modified")
            variable.level = level
            self._changed = True

    # ---- for the threadgroup

    def _group(self, statements: Iterable[Statement]) -> list[Node]:
        nodes: list[Node] = []
        waiting: list[Statement | Piece] = []

        def flush() -> None:
            if waiting:
                self._blocks += 1
                nodes.append(Simds(self._blocks, self._simd(waiting)))
                waiting.clear()

        for statement in statements:
            if self._is_barrier(statement, self._stops.barriers):
                flush()
            elif statement.form is Form.SIMPLE:
                if self._stops.has_barrier(statement.where):
                    raise Unfit("a barrier in an expression")
                for piece in self._pieces(statement):
                    if self._is_uniform(piece, Level.GROUP):
                        flush()
                        nodes.append(Once(piece))
                    else:
                        waiting.append(piece)
            elif self._is_guard(statement):
                flush()
                if not all(map(self._is_preparation, nodes)):
                    raise Unfit("a return of some threads, after something was done")
                self._steps += 1
                nodes.append(Guard(self._steps, statement.condition))
                self._use(self._locals.mentioned(*statement.condition), self._steps)
            elif (
                self._stops.has_barrier(statement.where) or self._escapes(statement) or self._is_all_uniform(statement)
            ):
                flush()
                nodes.append(self._control(statement, Level.GROUP))
            else:
                waiting.append(statement)
        flush()
        return nodes

    def _is_all_uniform(self, statement: Statement) -> bool:
        """Whether a statement in which nobody waits only computes variables of all threads."""
        if statement.form is Form.SIMPLE:
            return all(self._is_uniform(piece, Level.GROUP) for piece in self._pieces(statement))
        if statement.form is Form.OPAQUE or self._uniformity.level(statement.condition) > Level.GROUP:
            return False
        start = statement.start
        return (
            (start is None or start.last == start.first + 1 or self._is_all_uniform(start))
            and all(self._is_assignment(part, Level.GROUP) for part in self._code.split(*statement.step))
            and all(map(self._is_all_uniform, statement.parts))
        )

    def _escapes(self, statement: Statement) -> bool:
        return statement is not self._tail and escapes(self._code, statement)

    def _is_guard(self, statement: Statement) -> bool:
        """Whether it lets some threads return before the kernel has done anything."""
        if statement.form is not Form.IF or statement not in self._statements or len(statement.parts) != 1:
            return False
        words = [word for word in self._code.texts[slice(*statement.parts[0].where)] if word not in ("{", "}")]
        condition = statement.condition
        return (
            words == ["return", ";"]
            and self._uniformity.level(condition) is not Level.GROUP
            and not self._stops.any(condition)
            and self._only_computes(condition)
        )

    def _is_preparation(self, node: Node) -> bool:
        """Whether a node does nothing that anybody but its threads can see."""
        if isinstance(node, Simds):
            return all(map(self._is_preparation, node.nodes))
        if isinstance(node, Step):
            return node.stride is None and all(
                piece.variable is not None and self._only_computes(piece.initialiser) for piece in node.pieces
            )
        return isinstance(node, (Once, Guard))

    def _only_computes(self, where: Range) -> bool:
        code = self._code
        return not self._locals.modified(*where) and not any(
            code.texts[i] in ASSIGNMENTS
            or code.texts[i] in STEPS
            or (code.texts[i] == "(" and not self._uniformity.is_known(i))
            for i in range(*where)
        )

    def _control(self, statement: Statement, level: Level) -> Control:
        """A control statement at the level of the threadgroup or of a SIMD-group."""
        loop = statement.form in (Form.FOR, Form.WHILE)
        if statement.form is Form.OPAQUE or self._code.text(statement.last) == "else":
            raise Unfit("a statement that lockstep does not know, with a barrier")
        if loop and self._stops.any((statement.first, statement.parts[0].first)):
            raise Unfit("a loop whose condition waits")
        if self._uniformity.level(statement.condition) > level or self._locals.modified(*statement.condition):
            raise Unfit("a barrier where not all threads need to come")
        start: list[Piece] = []
        if statement.start is not None and statement.start.last > statement.start.first + 1:
            start = self._pieces(statement.start)
            if not all(self._is_uniform(piece, level) for piece in start):
                raise Unfit("a loop that begins differently in each thread")
        for first, last in self._code.split(*statement.step):
            if not self._is_assignment((first, last), level):
                raise Unfit("a loop that goes on differently in each thread")
        if level is Level.SIMD:
            self._note_simd((statement.first, statement.parts[0].first if loop else statement.condition[1]))
        parts = statement.parts if statement.form is not Form.BLOCK else (statement,)
        bodies = [part.parts if part.form is Form.BLOCK else (part,) for part in parts]
        if level is Level.GROUP:
            return Control(statement, tuple(start), tuple(self._group(body) for body in bodies))
        return Control(statement, tuple(start), tuple(self._simd(body) for body in bodies))

    # ---- for a SIMD-group

    def _simd(self, items: Iterable[Statement | Piece]) -> list[Node]:
        nodes: list[Node] = []
        for item in items:
            if isinstance(item, Piece):
                self._simd_piece(nodes, item)
            elif self._is_barrier(item, self._stops.simd_barriers):
                nodes.append(self._step())
            elif item.form is Form.SIMPLE:
                for piece in self._pieces(item):
                    self._simd_piece(nodes, piece)
            elif self._stops.any(item.where) or self._escapes(item):
                if item.form is Form.IF:
                    self._bring(nodes, item.condition)
                nodes.append(self._control(item, Level.SIMD))
            elif (stride := stride_of(self._code, self._locals, self._uniformity, item)) is not None:
                step = self._step(stride=stride)
                self._in_step(step, Piece(item, (item.where,)))
                nodes.append(step)
            else:
                self._in_last_step(nodes, Piece(item, (item.where,)))
        return nodes

    def _simd_piece(self, nodes: list[Node], piece: Piece) -> None:
        if self._code.texts[piece.statement.first] == "return":
            raise Unfit("a return of one SIMD-group")
        if self._is_barrier(piece.statement, self._stops.simd_barriers):
            nodes.append(self._step())
            return
        self._bring(nodes, piece.where)
        if self._is_uniform(piece, Level.SIMD):
            nodes.append(Once(piece))
            for where in piece.ranges:
                self._note_simd(where)
        else:
            self._in_last_step(nodes, piece)

    def _note_simd(self, where: Range) -> None:
        for variable in self._locals.mentioned(*where):
            self._simd_used.setdefault(variable, set()).add(self._blocks)

    def _bring(self, nodes: list[Node], where: Range) -> None:
        """The operations in an expression or a statement."""
        for call in self._stops.calls_in(where):
            if is_conditional(self._code, where, call) or not call.arguments:
                raise Unfit(f"{call.name}, which is not always reached")
            if any(self._interferes(i, call, where) for i in range(*where) if not call.where[0] <= i < call.where[1]):
                raise Unfit(f"{call.name} beside something that may change what it is given")
            if any(self._locals.modified(*argument) for argument in call.arguments):
                raise Unfit(f"{call.name} with an argument that is modified")
            self._steps += 1
            self._note_simd(call.where)
            nodes.append(Bring(self._steps, call))
            self._use(self._locals.mentioned(*call.where), self._steps)

    def _interferes(self, i: int, call: Call, where: Range) -> bool:
        """Whether the token, of the same statement, is of something that should not be done after the operation."""
        code, text = self._code, self._code.texts[i]
        if text in STEPS:
            return True
        if text in ASSIGNMENTS:
            return code.enclosing[i] >= where[0]
        if text != "(" or any(other.where[0] <= i < other.where[1] for other in self._stops.calls):
            return False
        around = i < call.where[0] and call.where[1] <= code.match[i]
        return not around and not self._uniformity.is_known(i)

    # ---- for a thread

    def _step(self, *, stride: Stride | None = None) -> Step:
        self._steps += 1
        return Step(self._steps, stride=stride)

    def _in_last_step(self, nodes: list[Node], piece: Piece) -> None:
        last = nodes[-1] if nodes else None
        tail = piece.statement is self._tail
        if not isinstance(last, Step) or last.stride is not None or tail:
            self._steps += 1
            last = Step(self._steps, tail=tail)
            nodes.append(last)
        self._in_step(last, piece)

    def _in_step(self, step: Step, piece: Piece) -> None:
        step.pieces.append(piece)
        declared: set[Variable] = set()
        self._note_simd(piece.where)
        if piece.variable is not None:
            declared.add(piece.variable)
        else:
            declared = self._locals.declared(*piece.where)
        for variable in declared:
            self._raise(variable, Level.THREAD)
            variable.home = Level.THREAD
            self._declared[variable] = step.number
            self.declared_in[variable] = self._blocks
        for where in piece.ranges:
            for variable in self._locals.modified(*where):
                if variable.sort is not Sort.STORAGE and not (
                    variable.sort is Sort.REFERENCE and not variable.attribute
                ):
                    self._raise(variable, Level.THREAD)
            self._use(self._locals.mentioned(*where), step.number)

    def _use(self, variables: Iterable[Variable], step: int) -> None:
        for variable in variables:
            self._used.setdefault(variable, set()).add(step)

    # ---- pieces

    def _pieces(self, statement: Statement) -> list[Piece]:
        declaration = self._locals.declarations.get(statement)
        if declaration is None:
            return [Piece(statement, (statement.where,))]
        if any(declarator.variable.sort is Sort.STORAGE for declarator in declaration.declarators):
            return [Piece(statement, (statement.where,))]  # one macro for each, in the first token
        return [
            Piece(statement, (declaration.type, declarator.where), declarator.variable, declarator.initialiser)
            for declarator in declaration.declarators
        ]

    def _is_uniform(self, piece: Piece, level: Level) -> bool:
        """Whether the piece runs once at this level; then its variable is noted to be no more uniform than that."""
        code, statement = self._code, piece.statement
        if piece.variable is None:
            words = code.texts[statement.first : statement.last - 1]
            if is_type_name(code, statement) or statement in self._locals.declarations:
                return True
            if words in (["break"], ["continue"], ["return"]):
                return True
            return self._is_assignment((statement.first, statement.last - 1), level)
        variable = piece.variable
        if variable.sort is not Sort.VALUE:
            return False
        self._raise(variable, self._uniformity.level(piece.initialiser))
        if variable.level > level:
            return False
        variable.home = level
        return True

    def _is_assignment(self, where: Range, level: Level) -> bool:
        """Whether this is ``x = …``, ``x += …``, ``x++`` or ``++x`` of a variable that stays uniform."""
        code, (first, last) = self._code, where
        at = first + (code.text(first) in STEPS)
        variable = self._locals.mentions.get(at)
        if variable is None or variable.sort is not Sort.VALUE:
            return False
        value = (last, last)
        if code.text(first) not in STEPS:
            if code.text(at + 1) in ASSIGNMENTS:
                value = (at + 2, last)
            elif code.text(at + 1) not in STEPS or at + 2 != last:
                return False
        elif at + 1 != last:
            return False
        if variable.attribute:
            raise Unfit(f"{variable.name}, which is modified")
        found = self._uniformity.level(value)
        self._raise(variable, max(found, level if level > variable.home else Level.GROUP))
        return variable.level <= level

    def _is_barrier(self, statement: Statement, barriers: Sequence[int]) -> bool:
        if statement.form is not Form.SIMPLE or statement.first not in barriers:
            return False
        opening = next(i for i in range(statement.first, statement.last) if self._code.texts[i] == "(")
        if self._code.match[opening] + 2 != statement.last:
            raise Unfit("a barrier in an expression")
        return True
