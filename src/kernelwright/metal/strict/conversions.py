"""Rules on conversions that C++ would make, or that vanish where address spaces do, and that Metal does not make."""

from collections.abc import Iterator

from kernelwright.metal.strict import types
from kernelwright.metal.strict.operands import Call, Operand, assignments, calls, operand, space_of
from kernelwright.metal.strict.rules import Finding, rule
from kernelwright.metal.strict.view import Function, Program, Span, Variable

_SPACES = "4 Address Spaces"
_CONVERSIONS = "Type Conversions and Re-interpreting Data"

_THREAD = frozenset({"thread"})
_SHARED = frozenset({"device", "threadgroup"})

_LIBRARY: dict[str, dict[int, frozenset[str]]] = {
    "sincos": {1: _THREAD},
    "frexp": {1: _THREAD},
    "modf": {1: _THREAD},
    "simdgroup_load": {1: _SHARED},
    "simdgroup_store": {1: _SHARED},
    "atomic_compare_exchange_weak_explicit": {0: _SHARED, 1: _THREAD},
} | {
    f"atomic_{what}_explicit": {0: _SHARED}
    for what in (
        "store", "load", "exchange", "fetch_add", "fetch_and", "fetch_max", "fetch_min", "fetch_or", "fetch_sub",
        "fetch_xor", "max", "min",
    )
}  # fmt: skip
"""The address spaces that functions of Metal's library take their pointers and references in, by argument."""


@rule("pointer-conversion", _SPACES, "Pointers to different address spaces are not converted into each other.")
def pointer_conversion(program: Program) -> Iterator[Finding]:
    for target, at, span in assignments(program):
        if target.pointers != 1 or target.reference or target.dimensions:
            continue
        space = space_of(program, target)
        source = operand(program, span)
        if space is not None and source is not None and source.pointer and source.space != space:
            message = f"{target.name} points to {space} memory and cannot be set to a pointer to {source.space} memory"
            yield Finding(at, message)


@rule("reference-binding", _SPACES, "A reference binds to objects of its own address space only.")
def reference_binding(program: Program) -> Iterator[Finding]:
    for target, at, span in assignments(program):
        if at != target.at or not target.reference or target.pointers:
            continue
        space = space_of(program, target)
        source = operand(program, span)
        copies = "const" in target.specifiers and space == "thread"
        if space is not None and source is not None and not source.pointer and source.space != space and not copies:
            message = (
                f"the reference {target.name} is to {space} memory, and {source.variable.name} is in {source.space}"
            )
            yield Finding(at, message)


@rule("argument-address-space", _SPACES, "An argument must be in the address space that the parameter names.")
def argument_address_space(program: Program) -> Iterator[Finding]:
    for call in calls(program):
        candidates = program.named(call.name)
        if program.variable(call.name, call.at) is not None or (candidates and call.name in _LIBRARY):
            continue  # a lambda, or overloads of ours and Metal's
        for number, span in enumerate(call.arguments):
            source = operand(program, span)
            if source is None:
                continue
            wanted = _library(program, call, number) if not candidates else _wanted(candidates, call, number, source)
            if wanted and source.space not in wanted:
                where = " or ".join(sorted(wanted))
                message = f"argument {number + 1} of {call.name} must be in {where} memory, and {source.variable.name} "
                yield Finding(span[0], f"{message}is in {source.space}")


def _library(program: Program, call: Call, number: int) -> frozenset[str]:
    """What Metal's own function takes; nothing where the program may mean another one."""
    if call.qualifier not in ("", "metal") or program.declares(call.name):
        return frozenset()
    return _LIBRARY.get(call.name, {}).get(number, frozenset())


def _wanted(candidates: list[Function], call: Call, number: int, source: Operand) -> frozenset[str]:
    """The spaces of the parameter in all functions that the call may mean; nothing where one may take anything."""
    spaces: set[str] = set()
    for function in candidates:
        if not function.takes(len(call.arguments)):
            continue
        space = _parameter_space(function, number, source)
        if space is None:
            return frozenset()
        spaces.add(space)
    return frozenset(spaces)


def _parameter_space(function: Function, number: int, source: Operand) -> str | None:
    if number >= len(function.parameters):
        return None
    parameter = function.parameters[number]
    if parameter.pack or parameter.function or len(set(parameter.spaces)) != 1 or parameter.pointers > 1:
        return None
    if parameter.pointers and parameter.reference:
        return None
    space = parameter.spaces[0]
    if parameter.reference:
        copies = "const" in parameter.specifiers and space == "thread"
        return None if source.pointer or copies else space
    return space if source.pointer and (parameter.pointers or parameter.dimensions) else None


@rule("vector-conversion", _CONVERSIONS, "Vectors of different element types or lengths do not convert implicitly.")
def vector_conversion(program: Program) -> Iterator[Finding]:
    for target, at, span in assignments(program):
        mine, other = _value_type(program, target), _type_of_expression(program, span)
        if mine is None or other is None:
            continue
        wanted, given = types.element(mine), types.element(other)
        if wanted is not None and given is not None and wanted != given:
            yield Finding(at, f"{target.name} is {mine} and is given {other}: write {mine}(…) to convert")
        elif wanted is None and given is not None and mine in types.SCALAR_BYTES:
            yield Finding(at, f"{target.name} is {mine} and is given the vector {other}: choose a component")


@rule(
    "bfloat-conversion",
    _CONVERSIONS,
    "Conversions of float and half to bfloat, and of bfloat to half, are written out.",
)
def bfloat_conversion(program: Program) -> Iterator[Finding]:
    for target, at, span in assignments(program):
        mine, other = _value_type(program, target), _type_of_expression(program, span)
        if {mine, other} == {"bfloat", "half"} or (mine == "bfloat" and other == "float"):
            yield Finding(at, f"{target.name} is {mine} and is given {other}: write {mine}(…) to convert")


def _value_type(program: Program, variable: Variable) -> str | None:
    """The canonical type of a variable that is a value, or refers to one."""
    if variable.pointers or variable.dimensions or variable.function or variable.words == ("auto",):
        return None
    return program.type_of(variable)


def _type_of_expression(program: Program, span: Span) -> str | None:
    """The type of ``name``, ``name[i]``, ``*name`` and ``type(…)``."""
    stream = program.stream
    first, end = span
    opens = first + 1
    if stream.text(opens) in ("(", "{") and stream.close[opens] == end - 1:
        name = stream.texts[first]
        return types.canonical((name,)) if name in types.NAMES else None
    source = operand(program, span)
    if source is None or source.pointer or source.variable.words == ("auto",):
        return None
    return program.type_of(source.variable)
