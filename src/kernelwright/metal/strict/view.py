"""A Metal program as rules look at it: its functions, variables, types and scopes.

``reader.read`` makes one from tokens. It knows declarations and where names are visible; it does not know overloads,
template instantiation or the types of expressions. What it cannot tell is ``None``: rules must not guess.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from kernelwright.metal.language.tokens import Place
from kernelwright.metal.strict import constants, types
from kernelwright.metal.strict.stream import Attribute, Stream

Span = tuple[int, int]
"""A range of positions, the second one not included."""


class Role(StrEnum):
    """Where a variable is declared."""

    GLOBAL = "global"
    MEMBER = "member"
    PARAMETER = "parameter"
    LOCAL = "local"
    ALIAS = "alias"
    """A name for a type, from ``using`` or ``typedef``."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One declared name with what its declaration says of its type."""

    name: str
    """Empty for a parameter without a name."""
    role: Role
    at: int
    """Position of the name, or of the declaration's end where there is no name."""
    span: Span
    """From the first specifier to the declarator's end, initialiser included."""
    words: tuple[str, ...]
    """The type without qualifiers and address spaces: ``metal::vec<float, 4>``."""
    specifiers: frozenset[str]
    """``const``, ``static``, ``constexpr`` and the like."""
    spaces: tuple[str, ...]
    """Address spaces in the order written."""
    visible: Span
    pointers: int = 0
    reference: bool = False
    dimensions: tuple[Span, ...] = ()
    function: bool = False
    """It is a pointer or reference to a function."""
    initialiser: Span | None = None
    attributes: tuple[Attribute, ...] = ()
    templates: frozenset[str] = frozenset()
    """Template parameters in sight: names that mean something else in each instantiation."""
    pack: bool = False
    """A parameter pack: any number of arguments."""
    qualified: bool = False
    """The definition of a member elsewhere: ``constant int Sizes::rows``."""

    @property
    def indirect(self) -> bool:
        """Whether it is a pointer or a reference to data."""
        return (self.pointers > 0 or self.reference) and not self.function

    def attribute(self, name: str) -> Attribute | None:
        return next((a for a in self.attributes if a.name == name), None)


@dataclass(frozen=True, slots=True)
class Function:
    """One function, with its body where it is defined. A lambda has no name."""

    name: str
    at: int
    start: int
    words: tuple[str, ...]
    """Return type; empty for constructors, conversions and lambdas."""
    specifiers: frozenset[str]
    spaces: tuple[str, ...]
    """Address spaces of the return type."""
    indirect: bool
    """It returns a pointer or a reference."""
    parameters: tuple[Variable, ...]
    parentheses: Span
    body: Span | None
    """From ``{`` to behind ``}``."""
    attributes: tuple[Attribute, ...]
    templates: frozenset[str]
    record: str = ""
    """The struct or class it is a member of."""
    ellipsis: bool = False
    """C's ``...`` ends its parameters."""

    @property
    def kernel(self) -> bool:
        return "kernel" in self.specifiers or any(a.name == "kernel" for a in self.attributes)

    def takes(self, count: int) -> bool:
        """Whether a call may give so many arguments."""
        if self.ellipsis or any(p.pack for p in self.parameters):
            return True
        required = sum(1 for p in self.parameters if p.initialiser is None)
        return required <= count <= len(self.parameters)


@dataclass(frozen=True, slots=True)
class Record:
    """One struct, class, union or enum with its braces."""

    name: str
    key: str
    body: Span


@dataclass
class Program:
    """Everything that was declared, in the order of the text."""

    stream: Stream
    functions: list[Function] = field(default_factory=list[Function])
    variables: list[Variable] = field(default_factory=list[Variable])
    records: list[Record] = field(default_factory=list[Record])
    namespaces: set[str] = field(default_factory=set[str])
    _variables: dict[str, list[Variable]] = field(default_factory=dict[str, list[Variable]])
    _functions: dict[str, list[Function]] = field(default_factory=dict[str, list[Function]])
    _records: dict[str, list[Record]] = field(default_factory=dict[str, list[Record]])
    _inside: list[int] = field(default_factory=list[int])

    def add_variable(self, variable: Variable) -> None:
        self.variables.append(variable)
        self._variables.setdefault(variable.name, []).append(variable)

    def add_function(self, function: Function) -> None:
        """Functions around this one must have been added before it."""
        if function.body is not None:
            if not self._inside:
                self._inside = [-1] * len(self.stream)
            first, end = function.parentheses[0], function.body[1]
            self._inside[first:end] = [len(self.functions)] * (end - first)
        self.functions.append(function)
        self._functions.setdefault(function.name, []).append(function)

    def add_record(self, record: Record) -> None:
        self.records.append(record)
        self._records.setdefault(record.name, []).append(record)

    def place(self, i: int) -> Place:
        return self.stream.tokens[min(i, len(self.stream) - 1)].place

    def variable(self, name: str, i: int) -> Variable | None:
        """The variable that ``name`` means at a position; aliases of types are none."""
        found = [v for v in self._variables.get(name, ()) if v.visible[0] <= i < v.visible[1]]
        best = max(found, key=lambda v: (v.visible[0], v.at), default=None)
        return best if best is None or best.role is not Role.ALIAS else None

    def named(self, name: str) -> list[Function]:
        """All functions of this name, members of structs included."""
        return self._functions.get(name, [])

    def record(self, name: str) -> Record | None:
        """The struct or class of this name, if there is exactly one with a body."""
        found = self._records.get(name, [])
        return found[0] if len(found) == 1 else None

    def members(self, record: Record) -> Iterator[Variable]:
        """Its data members, not those of structs within it."""
        first, end = record.body
        for variable in self.variables:
            if variable.role is Role.MEMBER and variable.visible == (first, end):
                yield variable

    def declares(self, name: str) -> bool:
        """Whether the program gives this name a meaning of its own anywhere."""
        known = (self._variables, self._functions, self._records, self.namespaces)
        return any(name in names for names in known)

    def enclosing(self, i: int) -> Function | None:
        """The innermost function or lambda whose parameters or body hold the position."""
        number = self._inside[i] if i < len(self._inside) else -1
        return self.functions[number] if number >= 0 else None

    def outermost(self, i: int) -> Function | None:
        """The function that holds the position, lambdas in it skipped."""
        function = self.enclosing(i)
        while function is not None and not function.name:
            function = self.enclosing(function.at - 1)
        return function

    def resolve(self, words: tuple[str, ...], templates: frozenset[str], i: int, depth: int = 0) -> str | None:
        """One name for the type that ``words`` say at a position: a built-in one's, or ``struct Name`` of the program.

        ``None``: it depends on a template argument, is declared elsewhere, or has a pointer or an address space in it.
        """
        words = types.unqualified(words)
        if not words or depth > 16 or words[0] in templates:
            return None
        name = _last_name(words)
        alias = self._alias(name, i)
        if alias is not None:
            if alias.words == words:  # typedef struct Sizes Sizes;
                return f"struct {name}" if name in self._records else None
            plain = len(words) == 1 and not (alias.indirect or alias.function or alias.spaces or alias.dimensions)
            return self.resolve(alias.words, alias.templates, alias.at, depth + 1) if plain else None
        if name in self._records:
            return f"struct {name}"
        return types.canonical(words) if templates.isdisjoint(words) else None

    def type_of(self, variable: Variable) -> str | None:
        """``resolve`` for a variable's type, pointers, references and dimensions left aside."""
        return self.resolve(variable.words, variable.templates, variable.at)

    def is_object(self, words: tuple[str, ...], templates: frozenset[str], i: int, depth: int = 0) -> bool:
        """Whether the words surely are a type without an address space of its own: a scalar, a class, ``vec<T, 4>``."""
        if self.resolve(words, templates, i) is not None:
            return True
        words = types.unqualified(words)
        if not words or depth > 16:
            return False
        name = _last_name(words)
        alias = self._alias(name, i)
        if alias is None:
            return name != words[-1] and name in types.TEMPLATES and not self.declares(name)
        plain = len(words) == 1 and not (alias.indirect or alias.function or alias.spaces or alias.words == words)
        return plain and self.is_object(alias.words, alias.templates, alias.at, depth + 1)

    def value(self, span: Span) -> int | None:
        """The value of a constant integer expression, if its parts are known."""
        return self._evaluate(tuple(self.stream.texts[span[0] : span[1]]), span[0], 0)

    def value_of(self, texts: tuple[str, ...], i: int) -> int | None:
        """The value of an expression in an attribute that stands at a position."""
        return self._evaluate(texts, i, 0)

    def _evaluate(self, texts: tuple[str, ...], i: int, depth: int) -> int | None:
        function = self.enclosing(i)
        templates = function.templates if function is not None else frozenset[str]()

        def constant(name: str) -> int | None:
            variable = None if name in templates or depth > 8 else self.variable(name, i)
            if variable is None or variable.initialiser is None or variable.indirect or variable.dimensions:
                return None
            if not ({"const", "constexpr"} & variable.specifiers or "constant" in variable.spaces):
                return None
            if self.type_of(variable) not in types.INTEGERS:
                return None
            first, end = variable.initialiser
            return self._evaluate(tuple(self.stream.texts[first:end]), variable.span[0], depth + 1)

        def size(words: tuple[str, ...]) -> int | None:
            return types.BYTES.get(self.resolve(words, templates, i) or "")

        return constants.evaluate(texts, constant, size)

    def _alias(self, name: str, i: int) -> Variable | None:
        """The alias of a type that ``name`` is at a position."""
        found = [v for v in self._variables.get(name, ()) if v.role is Role.ALIAS and v.visible[0] <= i < v.visible[1]]
        return max(found, key=lambda v: (v.visible[0], v.at), default=None)


def _last_name(words: tuple[str, ...]) -> str:
    """The name itself of a qualified one, without its template arguments."""
    if words[-1] != ">":
        return words[-1]
    depth = 0
    for i in range(len(words) - 1, 0, -1):
        depth += (words[i] == ">") - (words[i] == "<")
        if depth == 0:
            return words[i - 1]
    return ""
