"""What a program declares outside function bodies: functions, classes and explicit instantiations.

One walk over the tokens at file, namespace and class level. It knows as much C++ as it takes to find where each
declaration starts, its parameter list and its body; everything else is passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kernelwright.metal.language.grammar import Code, Range

SPACES = frozenset({"device", "constant", "thread", "threadgroup", "threadgroup_imageblock", "ray_data", "object_data"})
"""The address space qualifiers (specification, 4)."""
_CLASS_KEYS = frozenset({"struct", "class", "union"})
_ACCESS = frozenset({"public", "private", "protected"})
_NO_FUNCTION = frozenset(
    {
        "alignas", "decltype", "__attribute__", "static_assert", "sizeof", "alignof", "noexcept", "requires", "typeof",
        "void", "bool", "char", "short", "int", "long", "float", "half", "unsigned", "signed", "auto",
    }
)  # fmt: skip
"""Names before a ``(`` that is not a parameter list."""
_TRAILING = frozenset({"const", "volatile", "noexcept", "override", "final", "&", "&&"}) | SPACES


@dataclass(frozen=True, slots=True)
class Function:
    """A declaration or definition of a function."""

    start: int
    """Where it begins, its template header included."""
    template: bool
    name: int
    """Position of its name (of ``operator`` for operators)."""
    open: int
    close: int
    """The parentheses of its parameters."""
    end: int
    """The ``{`` of its body, or the ``;`` of a declaration."""
    scope: int
    """The ``{`` it stands in, -1: file level."""
    owner: str
    """The class it is a member of, else empty."""

    def body(self, code: Code) -> Range | None:
        """Positions from ``{`` to behind ``}``."""
        return (self.end, code.match[self.end] + 1) if code.texts[self.end] == "{" else None


@dataclass(frozen=True, slots=True)
class Class:
    """A class with template arguments behind its name: a specialisation."""

    start: int
    name: int
    end: int
    """The ``{`` of its body, or the ``;`` of a declaration."""
    scope: int


@dataclass(frozen=True, slots=True)
class Instantiation:
    """``template`` … ``;`` without a parameter list behind ``template``."""

    start: int
    end: int
    """The ``;``."""
    scope: int


Declaration = Function | Class | Instantiation


def declarations(code: Code) -> Iterator[Declaration]:
    """Every declaration in the order of the program; members of a class come after the class."""
    walk = _Walk(code)
    while walk.i < len(code):
        found = walk.step()
        if found is not None:
            yield found


class _Walk:
    """The walk over the program: where it is, and where the declaration under way began."""

    def __init__(self, code: Code):
        self.code = code
        self.i = 0
        self.start = 0
        self.template = False
        self.owners: dict[int, str] = {-1: ""}
        """The class that each ``{`` belongs to, by position."""

    def step(self) -> Declaration | None:
        """Moves on by one token or more; what was found on the way."""
        code, i = self.code, self.i
        text = code.texts[i]
        found = None
        if text in ("}", ";") or (text == ":" and code.text(self.start) in _ACCESS):
            self._begin(i + 1)
        elif text == "template" and (i == self.start or code.text(i + 1) == "<"):
            found = self._template()
        elif text == "{":
            found = self._brace()
        elif text == "=" and code.text(i - 1) != "operator":
            self.i = _behind_initialiser(code, i)
        elif text == "operator" or (text == "(" and _name_before(code, self.start, i) >= 0):
            found = self._function()
        else:
            self._pass(i)
        return found

    def _begin(self, i: int) -> None:
        self.i = self.start = i
        self.template = False

    def _pass(self, i: int) -> None:
        """Over one token, or a bracket or template list with all it contains."""
        close = None
        if self.code.texts[i] in ("(", "["):
            close = self.code.match[i]
        elif self.code.texts[i] == "<":
            close = self.code.angle_close(i)
        self.i = (i if close is None else close) + 1

    def _template(self) -> Declaration | None:
        code, i = self.code, self.i
        if code.text(i + 1) == "<":
            close = code.angle_close(i + 1)
            if close is None:
                raise code.error("the template parameter list is never closed", i + 1)
            self.i, self.template = close + 1, True
            return None
        self.i = _semicolon(code, i)
        return Instantiation(i, self.i, code.brace(i))

    def _brace(self) -> Declaration | None:
        code, i, start = self.code, self.i, self.start
        opens_scope, name = _scope(code, start, i)
        self.owners[i] = code.texts[name] if name >= 0 else ""
        if opens_scope:
            self._begin(i + 1)
            return Class(start, name, i, code.brace(i)) if name >= 0 and code.text(name + 1) == "<" else None
        self.i = code.match[i] + 1
        if code.text(self.i) not in (",", ";", ")", "("):  # no initialiser, but a body
            self._begin(self.i)
        return None

    def _function(self) -> Declaration | None:
        code, i = self.code, self.i
        function = _function(code, self.start, self.template, i, self.owners.get(code.brace(i), ""))
        if function is None:
            self._pass(i)
        elif body := function.body(code):
            self._begin(body[1])
        else:
            self.i = function.end
        return function


def functions(code: Code) -> list[Function]:
    """Only the functions."""
    return [found for found in declarations(code) if isinstance(found, Function)]


def _semicolon(code: Code, i: int) -> int:
    while i < len(code) and code.texts[i] != ";":
        i = code.match[i] if code.texts[i] in ("(", "[", "{") else i
        i += 1
    if i == len(code):
        raise code.error("';' is missing", i)
    return i


def _behind_initialiser(code: Code, i: int) -> int:
    """From a ``=`` to the ``;`` that ends it (``struct X {…} x = {…};`` included)."""
    while i < len(code) and code.texts[i] not in (";", "}"):
        i = (code.match[i] if code.texts[i] in ("(", "[", "{") else i) + 1
    return i


def _class_name(code: Code, start: int, brace: int) -> int:
    """Position of the name of the class whose body opens at ``brace``; -1: it has none."""
    named = -1
    i = start
    while i < brace and code.texts[i] not in _CLASS_KEYS:
        close = code.angle_close(i, brace) if code.texts[i] == "<" else None
        i = (close if close is not None else i) + 1
    i += 1
    while i < brace:
        text = code.texts[i]
        if text in ("(", "["):
            i = code.match[i]
        elif text in (":", "<"):
            break
        elif code.is_name(i) and text not in ("alignas", "__attribute__", "final"):
            named = i
        i += 1
    return named


def _scope(code: Code, start: int, brace: int) -> tuple[bool, int]:
    """Whether ``{`` opens a namespace or a class, and the position of the class's name; -1: it has none."""
    header = [code.texts[i] for i in code.outer(start, brace)]
    if "namespace" in header or header[:1] == ["extern"]:
        return True, -1
    if "enum" in header or not _CLASS_KEYS & set(header):
        return False, -1
    if "(" in header and header[header.index("(") - 1] not in ("alignas", "__attribute__"):
        return False, -1
    return True, _class_name(code, start, brace)


def _name_before(code: Code, start: int, i: int) -> int:
    """Position of the name of the function whose parameters may begin at ``i``, ``f`` or ``f<int>``; -1: none."""
    i -= 1
    if code.text(i) == ">":
        opening = code.angle_open(i, start)
        i = -1 if opening is None else opening - 1
    return i if i >= start and code.is_name(i) and code.texts[i] not in _NO_FUNCTION else -1


def _function(code: Code, start: int, template: bool, i: int, owner: str) -> Function | None:
    """The function whose ``operator`` or opening parenthesis stands at ``i``, if it is one."""
    if code.texts[i] == "operator":
        name = i
        opening = i + 3 if code.text(i + 1) == "(" and code.text(i + 2) == ")" else i + 1
        while opening < len(code) and code.texts[opening] not in ("(", ";", "{"):
            opening += 1
        if code.text(opening) != "(":
            return None
    else:
        name, opening = _name_before(code, start, i), i
    close = code.match[opening]
    end = _end_of_header(code, close + 1)
    if end is None:
        return None
    return Function(start, template, name, opening, close, end, code.brace(opening), owner)


def _end_of_header(code: Code, i: int) -> int | None:
    """From behind the parameters to the ``{`` or ``;``; ``None``: this is no function."""
    while i < len(code):
        text = code.texts[i]
        if text in ("{", ";"):
            return i
        if text in _TRAILING or text == "__attribute__":
            i = code.match[i + 1] if code.text(i + 1) == "(" else i
        elif text == ":":
            return _behind_member_initialisers(code, i + 1)
        elif text == "->":
            while code.text(i + 1) not in ("{", ";", ""):
                i += 1
        elif text != "=" or code.text(i + 1) not in ("default", "delete", "0"):
            return None
        else:
            i += 1
        i += 1
    return None


def _behind_member_initialisers(code: Code, i: int) -> int | None:
    """``a(1), b{2} {``: the ``{`` of the constructor's body."""
    while i < len(code):
        while i < len(code) and code.texts[i] not in ("(", "{", ";"):
            close = code.angle_close(i) if code.texts[i] == "<" else None
            i = (close if close is not None else i) + 1
        if code.text(i) in (";", ""):
            return None
        i = code.match[i] + 1
        if code.text(i) == "{":
            return i
        if code.text(i) != ",":
            return None
    return None
