"""Rules on kernels: their return type, their arguments and attributes."""

from collections.abc import Iterator

from kernelwright.metal.strict import types
from kernelwright.metal.strict.operands import calls
from kernelwright.metal.strict.rules import Finding, rule
from kernelwright.metal.strict.stream import Attribute
from kernelwright.metal.strict.view import Function, Program, Variable

_KERNELS = "5.1.3 Compute Functions (Kernels)"
_FUNCTIONS = "5.1 Functions"
_LOCATING = "5.2.1 Locating Buffer, Texture, and Sampler Arguments"
_INPUT = "5.2.3.6 Kernel Function Input Attributes"
_CONSTANTS = "5.8 Program Scope Function Constants"

MOST_BUFFERS = 31
MOST_THREADS = 1024
"""Threads of one threadgroup on every Apple GPU family since Apple 4, and on Mac 2."""
_LAST_CONSTANT = 65535
_ANYWHERE = frozenset({"function_constant", "maybe_unused", "deprecated"})
"""Attributes that do not say where an argument comes from."""

POSITIONS = frozenset({
    "thread_position_in_grid", "thread_position_in_threadgroup", "threadgroup_position_in_grid", "threads_per_grid",
    "threads_per_threadgroup", "threadgroups_per_grid", "dispatch_threads_per_threadgroup", "grid_origin",
    "grid_size",
})  # fmt: skip
"""Attributes of positions and sizes: a scalar or a vector of two or three."""

INDICES = frozenset({
    "thread_index_in_threadgroup", "thread_index_in_simdgroup", "thread_index_in_quadgroup",
    "simdgroup_index_in_threadgroup", "quadgroup_index_in_threadgroup", "threads_per_simdgroup",
    "threads_per_quadgroup", "simdgroups_per_threadgroup", "quadgroups_per_threadgroup",
    "dispatch_simdgroups_per_threadgroup", "dispatch_quadgroups_per_threadgroup", "thread_execution_width",
})  # fmt: skip
"""Attributes of numbers: a scalar."""

_SCALARS = frozenset({"ushort", "uint"})
_POSITION_TYPES = frozenset({"ushort", "ushort2", "ushort3", "uint", "uint2", "uint3"})
_SAME_TYPE = (
    ("thread_position_in_grid", "threads_per_grid"),
    ("thread_position_in_threadgroup", "threads_per_threadgroup", "dispatch_threads_per_threadgroup"),
)
"""Attributes whose arguments must have one type in each kernel."""


def _kernels(program: Program) -> Iterator[Function]:
    """Kernels with a body; declarations and instantiations need not repeat the attributes."""
    return (f for f in program.functions if f.kernel and f.body is not None)


def _arguments(program: Program) -> Iterator[tuple[Function, Variable]]:
    return ((kernel, parameter) for kernel in _kernels(program) for parameter in kernel.parameters)


def _location(parameter: Variable) -> Attribute | None:
    return parameter.attribute("buffer") or parameter.attribute("threadgroup")


def _input(parameter: Variable) -> str | None:
    return next((a.name for a in parameter.attributes if a.name in POSITIONS | INDICES), None)


@rule("kernel-return", _KERNELS, "A kernel must return void.")
def kernel_return(program: Program) -> Iterator[Finding]:
    for kernel in _kernels(program):
        if kernel.words and (kernel.words != ("void",) or kernel.indirect):
            known = program.resolve(kernel.words, kernel.templates, kernel.at)
            if known not in (None, "void") or kernel.indirect:
                yield Finding(kernel.at, f"the kernel {kernel.name} must return void")


@rule("kernel-call", _FUNCTIONS, "A kernel must not be called by another function.")
def kernel_call(program: Program) -> Iterator[Finding]:
    for call in calls(program):
        called = program.named(call.name)
        if called and all(f.kernel for f in called) and program.variable(call.name, call.at) is None:
            yield Finding(call.at, f"{call.name} is a kernel and cannot be called: move its body into a function")


@rule("kernel-argument", _LOCATING, "An argument is a buffer, threadgroup memory, or a value with an attribute.")
def kernel_argument(program: Program) -> Iterator[Finding]:
    for _, parameter in _arguments(program):
        if parameter.indirect or parameter.spaces or parameter.dimensions or parameter.pack:
            continue
        if parameter.function:
            if parameter.name and parameter.pointers:
                yield Finding(parameter.at, f"{parameter.name}: a kernel cannot take a pointer to a function")
            continue
        others = [a.name for a in parameter.attributes if a.name not in _ANYWHERE and "::" not in a.name]
        known = program.type_of(parameter)
        if known is None or _input(parameter) is not None:
            continue
        if known.startswith("struct ") and (others or _has_attributes(program, known)):
            continue
        if others and _location(parameter) is None:
            message = f"{parameter.name}: a kernel has no argument with the attribute {others[0]}"
        else:
            message = f"{parameter.name} is a value: a kernel takes it as constant {known.removeprefix('struct ')}&"
        yield Finding(min(parameter.at, len(program.stream) - 1), message)


def _has_attributes(program: Program, known: str) -> bool:
    """Whether members of a struct say themselves what they are."""
    record = program.record(known.removeprefix("struct "))
    return record is None or any(m.attributes for m in program.members(record))


@rule(
    "kernel-argument-space", _LOCATING, "Buffers are in device or constant memory, other memory is threadgroup memory."
)
def kernel_argument_space(program: Program) -> Iterator[Finding]:
    for _, parameter in _arguments(program):
        if not parameter.indirect or len(set(parameter.spaces)) != 1:
            continue
        space = parameter.spaces[0]
        if space == "thread":
            yield Finding(parameter.at, f"{parameter.name}: an argument of a kernel cannot be in thread memory")
        elif space == "threadgroup" and parameter.attribute("buffer"):
            yield Finding(
                parameter.at, f"{parameter.name} is in threadgroup memory: its attribute is [[threadgroup(n)]]"
            )
        elif space in ("device", "constant") and parameter.attribute("threadgroup"):
            yield Finding(parameter.at, f"{parameter.name} is in {space} memory: its attribute is [[buffer(n)]]")


@rule("argument-index", _LOCATING, "Indices of buffers and of threadgroup memory go from 0 to 30.")
def argument_index(program: Program) -> Iterator[Finding]:
    for kernel, parameter in _arguments(program):
        location = _location(parameter)
        index = _index(program, kernel, location)
        if location is not None and index is not None and not 0 <= index < MOST_BUFFERS:
            message = (
                f"[[{location.name}({index})]] of {parameter.name}: the index must be between 0 and {MOST_BUFFERS - 1}"
            )
            yield Finding(parameter.at, message)


def _index(program: Program, kernel: Function, location: Attribute | None) -> int | None:
    return None if location is None else program.value_of(location.arguments, kernel.parentheses[0])


@rule("duplicate-index", _LOCATING, "Two arguments cannot have the same index, unless a function constant chooses.")
def duplicate_index(program: Program) -> Iterator[Finding]:
    for kernel in _kernels(program):
        taken: dict[tuple[str, int], Variable] = {}
        for parameter in kernel.parameters:
            location = _location(parameter)
            index = _index(program, kernel, location)
            if location is None or index is None or parameter.attribute("function_constant"):
                continue
            first = taken.setdefault((location.name, index), parameter)
            if first is not parameter:
                yield Finding(parameter.at, f"{parameter.name} and {first.name} both have [[{location.name}({index})]]")


@rule("argument-count", _LOCATING, "A kernel has at most 31 buffers and 31 threadgroup arguments.")
def argument_count(program: Program) -> Iterator[Finding]:
    for kernel in _kernels(program):
        for spaces, what in ((("device", "constant"), "buffers"), (("threadgroup",), "threadgroup arguments")):
            found = [
                p
                for p in kernel.parameters
                if p.indirect and p.spaces[:1] and p.spaces[0] in spaces and not p.attribute("function_constant")
            ]
            if len(found) > MOST_BUFFERS:
                message = f"the kernel {kernel.name} has {len(found)} {what}: at most {MOST_BUFFERS} are possible"
                yield Finding(found[MOST_BUFFERS].at, message)


@rule("input-type", _INPUT, "Positions are ushort or uint, alone or in vectors of 2 or 3; indices are ushort or uint.")
def input_type(program: Program) -> Iterator[Finding]:
    for _, parameter in _arguments(program):
        name = _input(parameter)
        known = program.type_of(parameter)
        if name is None or known is None:
            continue
        allowed = _SCALARS if name in INDICES else _POSITION_TYPES
        if known not in allowed or parameter.indirect or parameter.dimensions:
            message = f"{parameter.name} with the attribute {name} must be {_listed(allowed)}"
            yield Finding(parameter.at, f"{message}, and is {known.removeprefix('struct ')}")


def _listed(names: frozenset[str]) -> str:
    *most, last = sorted(names)
    return f"{', '.join(most)} or {last}"


@rule("input-agreement", _INPUT, "Types of related positions and sizes agree, and all vectors have one length.")
def input_agreement(program: Program) -> Iterator[Finding]:
    for kernel in _kernels(program):
        found: dict[str, tuple[Variable, str]] = {}
        for parameter in kernel.parameters:
            name, known = _input(parameter), program.type_of(parameter)
            if name is not None and known in _POSITION_TYPES:
                found[name] = (parameter, known)
        vectors = [(p, known) for name, (p, known) in found.items() if name in POSITIONS and types.is_vector(known)]
        for parameter, known in vectors[1:]:
            if known[-1] != vectors[0][1][-1]:
                message = f"{parameter.name} is {known} and {vectors[0][0].name} is {vectors[0][1]}: "
                yield Finding(
                    parameter.at, f"{message}positions and sizes of a kernel have the same number of components"
                )
        for group in _SAME_TYPE:
            names = [name for name in group if name in found]
            for name in names[1:]:
                parameter, known = found[name]
                if known != found[names[0]][1]:
                    message = f"{name} is {known} and {names[0]} is {found[names[0]][1]}: they must have one type"
                    yield Finding(parameter.at, message)
        yield from _index_agreement(found)


def _index_agreement(found: dict[str, tuple[Variable, str]]) -> Iterator[Finding]:
    """A position in 32 bits has an index in 32 bits."""
    position, index = found.get("thread_position_in_threadgroup"), found.get("thread_index_in_threadgroup")
    if position is not None and index is not None and position[1].startswith("uint") and index[1] == "ushort":
        message = "thread_index_in_threadgroup must be uint where thread_position_in_threadgroup is "
        yield Finding(index[0].at, f"{message}{position[1]}")


@rule("thread-limit", _KERNELS, "A threadgroup has 1 to 1024 threads on every Apple GPU.")
def thread_limit(program: Program) -> Iterator[Finding]:
    for kernel in _kernels(program):
        for attribute in kernel.attributes:
            if attribute.name == "max_total_threads_per_threadgroup":
                value = program.value_of(attribute.arguments, kernel.parentheses[0])
                if value is not None and not 1 <= value <= MOST_THREADS:
                    message = f"max_total_threads_per_threadgroup({value}) of {kernel.name}: at most {MOST_THREADS}"
                    yield Finding(kernel.at, f"{message} threads fit into a threadgroup", attribute.place)


@rule("function-constant", _CONSTANTS, "A function constant is a constant at program scope without a value of its own.")
def function_constant(program: Program) -> Iterator[Finding]:
    for variable in program.variables:
        attribute = variable.attribute("function_constant")
        if attribute is None or variable.role in ("parameter", "member"):
            continue
        index = program.value_of(attribute.arguments, variable.at)
        if variable.role == "local":
            yield Finding(variable.at, f"the function constant {variable.name} must be declared at program scope")
        elif variable.initialiser is not None:
            yield Finding(
                variable.at, f"the function constant {variable.name} gets its value from outside: no initialiser"
            )
        elif index is not None and not 0 <= index <= _LAST_CONSTANT:
            yield Finding(variable.at, f"the index of {variable.name} must be between 0 and {_LAST_CONSTANT}")
