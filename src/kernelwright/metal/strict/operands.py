"""What a short expression refers to: the address space and the type of ``values``, ``&tile[0][i]`` or ``*p``.

Longer expressions are not read: their space and type are ``None``, and rules say nothing about them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kernelwright.metal.strict import types
from kernelwright.metal.strict.view import Program, Role, Span, Variable

ASSIGNMENTS = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="})
_END = frozenset({";", ",", ")", "}"})


@dataclass(frozen=True, slots=True)
class Operand:
    """What is known of an expression that names one variable."""

    variable: Variable
    space: str
    """The address space of what it points to, or of what it is."""
    pointer: bool
    """It is an address (or an array, which becomes one); otherwise it is the value itself."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function by its plain name."""

    name: str
    at: int
    arguments: tuple[Span, ...]
    qualifier: str = ""
    """The namespace written before it: ``metal``."""


def space_of(program: Program, variable: Variable) -> str | None:
    """Where the variable's data is: what it points or refers to, or itself. ``None``: not said in its declaration."""
    if variable.function or variable.name == "" or len(set(variable.spaces)) > 1 or variable.pointers > 1:
        return None
    if variable.words == ("auto",) or (variable.pointers and variable.reference):
        return None
    if variable.spaces:
        return variable.spaces[0]
    if variable.indirect or "static" in variable.specifiers:
        return None
    by_value = variable.role is Role.LOCAL or (variable.role is Role.PARAMETER and not variable.dimensions)
    return "thread" if by_value and program.type_of(variable) is not None else None


def operand(program: Program, span: Span) -> Operand | None:
    """What an expression of the form ``name``, ``name + i``, ``name[i]``, ``*name`` or ``&name[i]`` refers to."""
    stream = program.stream
    first, end = span
    mark = stream.text(first) if stream.text(first) in ("&", "*") else ""
    at = first + bool(mark)
    if at >= end or not stream.is_name(at):
        return None
    variable = program.variable(stream.texts[at], at)
    if variable is None or (space := space_of(program, variable)) is None:
        return None
    levels = len(variable.dimensions) + variable.pointers  # subscripts until the element
    i = at + 1
    while i < end and stream.texts[i] == "[" and levels:
        levels -= 1
        i = stream.close[i] + 1
    if i < end:  # pointer + offset
        moved = levels and not mark and stream.texts[i] in ("+", "-") and i + 1 < end
        plain = not {"?", "<", ">", "==", "!=", "<=", ">=", "&&", "||", "-"} & set(stream.texts[i + 1 : end])
        return Operand(variable, space, True) if moved and plain else None
    if mark == "*":
        return Operand(variable, space, False) if levels == 1 and i == at + 1 else None
    if mark == "&":
        return Operand(variable, space, True) if variable.pointers == 0 or levels == 0 else None
    if variable.pointers and levels > 1:  # an array of pointers: they point there, it is elsewhere
        return None
    return Operand(variable, space, levels > 0)


def calls(program: Program) -> Iterator[Call]:
    """Calls inside functions of what is no member: ``name(…)``, ``name<T>(…)``, ``metal::name(…)``."""
    stream = program.stream
    for i in range(len(stream)):
        open_ = i + 1
        if stream.text(open_) not in ("(", "<") or not stream.is_name(i) or program.enclosing(i) is None:
            continue
        if stream.texts[open_] == "<":
            closing = stream.angle(open_)
            open_ = closing + 1 if closing is not None else open_
        if stream.text(open_) != "(" or stream.texts[i] in types.NAMES:
            continue
        if stream.text(i - 1) in (".", "->", "template"):
            continue
        qualifier = stream.text(i - 2) if stream.text(i - 1) == "::" else ""
        if not qualifier and stream.is_name(i - 1):
            continue  # a declaration: float4 name(…)
        arguments = tuple(stream.pieces(open_ + 1, stream.close[open_]))
        yield Call(stream.texts[i], i, arguments, qualifier)


def assignments(program: Program) -> Iterator[tuple[Variable, int, Span]]:
    """Each ``name = expression;`` and each declaration with ``=``: the variable, where, and the expression."""
    stream = program.stream
    for variable in program.variables:
        if variable.role is Role.LOCAL and variable.initialiser is not None:
            first, end = variable.initialiser
            if stream.text(first - 1) == "=":
                yield variable, variable.at, (first, end)
    for i in stream.each(("=",)):
        starts = stream.text(i - 2) in (";", "{", "}", ")", "else", "") and stream.is_name(i - 1)
        if not starts or program.enclosing(i) is None:
            continue
        variable = program.variable(stream.texts[i - 1], i - 1)
        end = stream.find(i, len(stream), _END)
        if variable is not None and variable.at != i - 1:
            yield variable, i - 1, (i + 1, end)
