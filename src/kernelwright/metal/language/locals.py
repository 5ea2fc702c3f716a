"""Local variables of a kernel: which declaration each mention belongs to, and where one may be modified."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum

from kernelwright.metal.language.declarations import SPACES, Function
from kernelwright.metal.language.grammar import Code, Range
from kernelwright.metal.language.kernels import Kernel
from kernelwright.metal.language.statements import Form, Statement, Unfit, is_type_name


class Level(IntEnum):
    """For whom something is the same, or who executes it: all threads of a threadgroup, a SIMD-group, each its own."""

    GROUP = 0
    SIMD = 1
    THREAD = 2


class Sort(Enum):
    """What a name stands for."""

    VALUE = "value"
    ARRAY = "array"
    REFERENCE = "reference"
    STORAGE = "storage"
    """A variable in threadgroup memory."""


@dataclass(eq=False)
class Variable:
    """A parameter or a local variable."""

    name: str
    sort: Sort
    level: Level
    type: str = ""
    """As C++; empty for parameters."""
    pointer: bool = False
    constant: bool = False
    """What it points or refers to lies in constant memory: it never changes."""
    fixed: bool = False
    """Declared ``const``."""
    attribute: str = ""
    """Of a parameter that the grid gives, ``KW_THREAD_POSITION_IN_GRID``."""
    home: Level = Level.GROUP
    """The level of the code that declares it."""
    parameter: bool = False
    spaces: frozenset[str] = frozenset()
    """Address spaces that its declaration names."""


@dataclass(frozen=True)
class Declarator:
    """One variable of a declaration."""

    variable: Variable
    where: Range
    """With ``*`` before the name and the initialiser behind it."""
    initialiser: Range


@dataclass(frozen=True)
class Declaration:
    """A declaration statement: its type, up to where ``*`` begins, and its variables."""

    type: Range
    declarators: tuple[Declarator, ...]


ASSIGNMENTS = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="})
STEPS = frozenset({"++", "--"})
_QUALIFIERS = frozenset({"const", "constexpr", "static", "volatile"}) | SPACES
_INTEGER_WORDS = frozenset({"unsigned", "signed", "char", "short", "int", "long"})  # of which a type may have several
_NO_TYPE = frozenset({"return", "break", "continue", "else", "delete", "new", "throw", "sizeof", "operator"})
_BEFORE_UNARY = frozenset({"(", "[", "{", ",", ";", "?", ":", "return", "!", "~", "<", ">"}) | ASSIGNMENTS
_OPERATORS = frozenset({"+", "-", "*", "/", "%", "&", "|", "^", "&&", "||", "==", "!=", "<=", ">=", "<<", "!"})
_CHANGES_ARGUMENTS = frozenset({"modf", "frexp", "sincos"})

_EACH_THREAD = frozenset(
    {
        "thread_position_in_grid", "thread_position_in_threadgroup", "thread_index_in_threadgroup",
        "thread_index_in_simdgroup", "thread_index_in_quadgroup", "quadgroup_index_in_threadgroup",
    }
)  # fmt: skip


class Locals:
    """The local variables of one kernel, by the positions where they are mentioned.

    ``functions``: all of the program. Raises ``Unfit`` for declarations that lockstep does not know.
    """

    def __init__(
        self, code: Code, statements: Iterable[Statement], parameters: Iterable[Variable], functions: Iterable[Function]
    ):
        self.code = code
        self.mentions: dict[int, Variable] = {}
        self.declarations: dict[Statement, Declaration] = {}
        self.initialisers: dict[Variable, Range] = {}
        self._changing = _CHANGES_ARGUMENTS | {
            code.texts[function.name]
            for function in functions
            if any(map(_may_be_changed, (code.texts[slice(*p)] for p in code.split(function.open + 1, function.close))))
        }
        self._scopes: list[dict[str, Variable]] = [{variable.name: variable for variable in parameters}]
        self._walk(statements)

    def _walk(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            if statement.form is Form.SIMPLE:
                self._simple(statement)
                continue
            if statement.form is Form.OPAQUE:
                self._mention(*statement.where)
                continue
            self._scopes.append({})
            if statement.start is not None:
                self._simple(statement.start)
            self._mention(*statement.condition)
            self._mention(*statement.step)
            if statement.form is Form.BLOCK:
                self._walk(statement.parts)
            else:
                for part in statement.parts:
                    self._walk((part,))
            self._scopes.pop()

    def _simple(self, statement: Statement) -> None:
        if is_type_name(self.code, statement):
            self._mention(*statement.where)
            return
        declaration = self._declaration(statement.first, statement.last - 1)
        if declaration is None:
            self._refuse_other_declarations(statement)
            self._mention(*statement.where)
            return
        self.declarations[statement] = declaration
        self._mention(*declaration.type)
        for declarator in declaration.declarators:
            name = declarator.variable.name
            self._scopes[-1][name] = declarator.variable
            self.initialisers[declarator.variable] = declarator.initialiser
            self._mention(*declarator.where)

    def _refuse_other_declarations(self, statement: Statement) -> None:
        """A declaration that is not seen as one would leave its names to those outside of the kernel."""
        for i in self.code.outer(statement.first + 1, statement.last):
            if self.code.is_name(i) and self.code.is_name(i - 1) and self.code.texts[i - 1] not in _NO_TYPE:
                raise Unfit("a statement that may be a declaration")

    def _mention(self, first: int, last: int) -> None:
        for i in range(first, last):
            if self.code.is_name(i) and self.code.text(i - 1) not in (".", "->", "::"):
                for scope in reversed(self._scopes):
                    if found := scope.get(self.code.texts[i]):
                        self.mentions[i] = found
                        break

    def _declaration(self, first: int, last: int) -> Declaration | None:
        """What the statement declares; ``None``: it is no declaration."""
        code = self.code
        i = self._behind_type(first, last)
        if i is None:
            return None
        at = i
        while code.text(at) in ("*", "&", "&&", "const"):
            at += 1
        if not code.is_name(at) or code.text(at + 1) not in ("=", ";", ",", "[", "{", "("):
            if "auto" in code.texts[first:i]:
                raise Unfit("a structured binding")
            return None
        if code.tokens[first].text.startswith("KW_THREADGROUP("):
            return Declaration((first, i), tuple(self._storage(first, i, last)))
        words = code.texts[first:i]
        if ("static" in words and "constexpr" not in words) or "volatile" in words:
            raise Unfit("a static or volatile variable")
        return Declaration((first, i), tuple(self._declarator((first, i), *part) for part in code.split(i, last)))

    def _behind_type(self, first: int, last: int) -> int | None:
        """Behind the type that a declaration begins with."""
        code, i, named = self.code, first, False
        while i < last:
            text = code.texts[i]
            if text in _QUALIFIERS:
                i += 1
            elif text in _INTEGER_WORDS:
                i, named = i + 1, True
            elif text == "decltype" and not named:
                i, named = code.match[i + 1] + 1, True
            elif named or not code.is_name(i) or text in _NO_TYPE:
                break
            elif text == "typename":
                i += 1
            else:
                named = True
                i += 1
                while code.text(i) in ("::", "<"):
                    if code.texts[i] == "<":
                        close = code.angle_close(i, last)
                        if close is None:
                            return None
                        i = close + 1
                    else:
                        i += 1 + code.is_name(i + 1)
        return i if named and i < last else None

    def _storage(self, first: int, i: int, last: int) -> Iterator[Declarator]:
        for start, end in self.code.split(i, last):
            variable = Variable(self.code.texts[start], Sort.STORAGE, Level.GROUP)
            yield Declarator(variable, (start, end), (start, start))

    def _declarator(self, type_: Range, first: int, last: int) -> Declarator:
        code, name = self.code, first
        while code.text(name) in ("*", "&", "&&", "const"):
            name += 1
        if not code.is_name(name):
            raise Unfit("a declaration of another kind")
        marks = code.texts[first:name]
        words = code.texts[slice(*type_)]
        behind = name + 1
        while behind < last and code.texts[behind] == "[":
            behind = code.match[behind] + 1
        dimensions = code.edited(name + 1, behind)
        sort = Sort.REFERENCE if "&" in marks or "&&" in marks else Sort.ARRAY if dimensions else Sort.VALUE
        plain = [t.text for t in code.tokens[slice(*type_)] if t.text not in ("constexpr", "static", "thread", "")]
        variable = Variable(
            code.texts[name],
            sort,
            Level.GROUP if sort is Sort.VALUE else Level.THREAD,
            type=" ".join([*plain, *(mark for mark in marks if mark == "*"), dimensions]).strip(),
            pointer="*" in marks,
            constant="constant" in words and ("*" in marks or sort is Sort.REFERENCE),
            fixed="*" not in marks and ("const" in words or "constexpr" in words or "constant" in words),
            spaces=SPACES.intersection(words),
        )
        return Declarator(variable, (first, last), (behind + (code.text(behind) == "="), last))

    # ---- what may be modified

    def modified(self, first: int, last: int) -> set[Variable]:
        """The variables that code in this range may modify or take the address of, as far as the text shows."""
        return {variable for i in range(first, last) if (variable := self.mentions.get(i)) and self._is_modified(i)}

    def declared(self, first: int, last: int) -> set[Variable]:
        return {
            declarator.variable
            for statement, declaration in self.declarations.items()
            if first <= statement.first and statement.last <= last
            for declarator in declaration.declarators
        }

    def mentioned(self, first: int, last: int) -> set[Variable]:
        return {variable for i in range(first, last) if (variable := self.mentions.get(i))}

    def _is_modified(self, i: int) -> bool:
        code = self.code
        start, end = i, i + 1
        while True:
            dereferenced = False
            while code.text(end) in ("[", ".", "->"):
                dereferenced = dereferenced or self._leaves_variable(self.mentions[i], end)
                end = code.match[end] + 1 if code.texts[end] == "[" else end + 2
            if dereferenced:
                return False  # what it points to is written, not the variable
            after, before = code.text(end), code.text(start - 1)
            if after in ASSIGNMENTS or after in STEPS or before in STEPS:
                return True
            if before == "&" and self.is_unary(start - 1):
                return True
            opening = code.enclosing[start]
            if opening < 0 or code.texts[opening] != "(":
                return False
            if code.text(opening - 1) in self._changing:
                return True
            if code.text(opening - 1) == ">" or (code.is_name(opening - 1) and code.texts[opening - 1] != "return"):
                return False  # a call
            start, end = opening, code.match[opening] + 1  # (x) = 1, (c ? x : y) = 1

    def _leaves_variable(self, variable: Variable, i: int) -> bool:
        return variable.pointer or self.code.texts[i] == "->"

    def is_unary(self, i: int) -> bool:
        """Whether the ``*`` or ``&`` at ``i`` has no left operand."""
        before = self.code.text(i - 1)
        if before == ">":
            return False
        return before in _BEFORE_UNARY or before in _OPERATORS

    def addressed(self, first: int, last: int) -> set[Variable]:
        """Variables of which code in this range takes the address."""
        found: set[Variable] = set()
        for i in range(first, last):
            if self.code.texts[i] == "&" and self.is_unary(i):
                at = i + 1
                while self.code.text(at) == "(":
                    at += 1
                variable = self.mentions.get(at)
                behind = self.code.text(at + 1)
                if variable and not (variable.pointer and behind in ("[", "->")) and variable.sort is not Sort.STORAGE:
                    found.add(variable)
        return found


def _may_be_changed(parameter: list[str]) -> bool:
    """Whether what is passed for a parameter may be a variable of the caller that the function changes."""
    return not {"&", "&&", "*"}.isdisjoint(parameter) and {"device", "constant", "threadgroup"}.isdisjoint(parameter)


def parameters_of(code: Code, kernel: Kernel) -> Iterable[tuple[Variable, Range]]:
    """Each parameter of a kernel, and where it stands."""
    ranges = [
        r for r in code.split(kernel.function.open + 1, kernel.function.close) if code.texts[slice(*r)] != ["void"]
    ]
    for argument, where in zip(kernel.arguments, ranges, strict=True):
        words = code.texts[slice(*where)]
        given = argument.kind not in ("buffer", "threadgroup")
        reference = "&" in words and not given
        level = Level.GROUP
        if argument.kind in _EACH_THREAD:
            level = Level.THREAD
        elif argument.kind == "simdgroup_index_in_threadgroup":
            level = Level.SIMD
        constant = argument.address_space == "constant"
        if reference and not constant:
            level = Level.THREAD
        yield (
            Variable(
                argument.name,
                Sort.REFERENCE if reference else Sort.VALUE,
                level,
                pointer=not given and not reference,
                constant=constant,
                fixed=given and "const" in words,
                attribute=f"KW_{argument.kind.upper()}" if level is not Level.GROUP and given else "",
                parameter=True,
            ),
            where,
        )
