"""Rules on what code does with memory: writes to constants, and calls that come back to themselves."""

from collections.abc import Iterator

from kernelwright.metal.strict import types
from kernelwright.metal.strict.operands import ASSIGNMENTS, calls
from kernelwright.metal.strict.rules import Finding, rule
from kernelwright.metal.strict.view import Function, Program, Variable

_CHANGES = ASSIGNMENTS | {"++", "--"}
_BEFORE_EXPRESSION = frozenset({";", "{", "}", ")", "(", ",", "=", "else", "return", ""})


@rule("constant-write", "4.2 Constant Address Space", "Objects in the constant address space are read-only.")
def constant_write(program: Program) -> Iterator[Finding]:
    stream = program.stream
    names = {v.name for v in program.variables if v.spaces and set(v.spaces) == {"constant"} and v.name}
    for i in stream.each(names):
        text = stream.texts[i]
        if stream.text(i - 1) in (".", "->", "::"):
            continue
        variable = program.variable(text, i)
        if variable is None or variable.at == i or set(variable.spaces) != {"constant"} or variable.function:
            continue
        if program.enclosing(i) is not None and _changed(program, variable, i):
            yield Finding(i, f"{text} is in constant memory and cannot be written")


def _changed(program: Program, variable: Variable, i: int) -> bool:
    """Whether the expression that begins with the variable writes to what is constant."""
    stream = program.stream
    before = stream.text(i - 1)
    levels = len(variable.dimensions) + variable.pointers
    if variable.pointers > 1 or (variable.pointers and variable.reference):
        return False
    end = i + 1
    while stream.text(end) == "[" and levels:
        levels -= 1
        end = stream.close[end] + 1
    if variable.pointers and levels == 1 and end == i + 1:
        if before == "*" and stream.text(i - 2) in _BEFORE_EXPRESSION:
            return stream.text(end) in ASSIGNMENTS
        if stream.text(end) == "->":
            return _is_plain_member(program, variable, end + 1) and stream.text(end + 2) in _CHANGES
        return False  # the pointer itself may change
    if levels:
        return False
    if stream.text(end) == ".":
        return _is_plain_member(program, variable, end + 1) and stream.text(end + 2) in _CHANGES
    if stream.text(end) == "[" and types.is_vector(program.type_of(variable) or ""):
        end = stream.close[end] + 1
    return stream.text(end) in _CHANGES or (before in ("++", "--") and stream.text(i - 2) in _BEFORE_EXPRESSION)


def _is_plain_member(program: Program, variable: Variable, i: int) -> bool:
    """Whether a member is data of the struct itself: writing it writes to where the struct is."""
    known = program.type_of(variable)
    if known is None:
        return False
    if types.is_vector(known):
        return True
    record = program.record(known.removeprefix("struct ")) if known.startswith("struct ") else None
    if record is None:
        return False
    member = next((m for m in program.members(record) if m.name == program.stream.text(i)), None)
    return member is not None and not member.reference


@rule(
    "recursion", "1.5.4 Restrictions", "Functions that call themselves, even through others, came with Metal 2.4.",
    legal_from=240,
)  # fmt: skip
def recursion(program: Program) -> Iterator[Finding]:
    for at, function in _recursive_calls(program):
        yield Finding(at, f"this call of {function.name} comes back to itself: Metal before 2.4 has no recursion")


def _recursive_calls(program: Program) -> Iterator[tuple[int, Function]]:
    """Calls that lead back to the function they stand in, where it is clear which function each call means."""
    edges: dict[int, list[tuple[int, Function]]] = {}
    for call in calls(program):
        caller = program.outermost(call.at)
        bodies = [f for f in program.named(call.name) if f.body is not None]
        if caller is None or len(bodies) != 1 or program.variable(call.name, call.at) is not None:
            continue  # which overload is meant cannot be told
        if any(p.pack for p in bodies[0].parameters):
            continue  # each call is one of another instantiation
        if bodies[0].takes(len(call.arguments)) and call.qualifier != "metal":
            edges.setdefault(caller.at, []).append((call.at, bodies[0]))
    for caller, called in edges.items():
        for at, function in called:
            if _reaches(edges, function.at, caller):
                yield at, function


def _reaches(edges: dict[int, list[tuple[int, Function]]], start: int, goal: int) -> bool:
    """Whether calls lead from one function to another."""
    waiting, seen = [start], {start}
    while waiting:
        at = waiting.pop()
        if at == goal:
            return True
        for _, function in edges.get(at, ()):
            if function.at not in seen:
                seen.add(function.at)
                waiting.append(function.at)
    return False
