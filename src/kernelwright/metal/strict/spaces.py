"""Rules on address spaces: where one must be written, and what may stand in it."""

from collections.abc import Iterator

from kernelwright.metal.contract import Severity
from kernelwright.metal.strict import types
from kernelwright.metal.strict.rules import Finding, rule
from kernelwright.metal.strict.view import Function, Program, Role, Variable

_SPACES = "4 Address Spaces"
_DEVICE = "4.1 Device Address Space"
_CONSTANT = "4.2 Constant Address Space"
_THREADGROUP = "4.4 Threadgroup Address Space"

MOST_THREADGROUP_BYTES = 32 * 1024
"""Threadgroup memory of one threadgroup on every Apple GPU family since Apple 4, and on Mac 2."""

_CASTS = frozenset({"static_cast", "reinterpret_cast", "const_cast"})
_QUALIFIERS = frozenset({"const", "volatile"})


def _kind(reference: bool) -> str:
    return "reference" if reference else "pointer"


@rule("missing-address-space", _SPACES, "Every pointer and reference must be declared with an address space.")
def missing_address_space(program: Program) -> Iterator[Finding]:
    for variable in program.variables:
        if variable.role is Role.ALIAS or not variable.indirect or variable.spaces:
            continue
        known = program.is_object(variable.words, variable.templates, variable.at)
        if known or _depends_on_instantiation_of_kernel(program, variable):
            what = f"{_kind(variable.reference)} {variable.name}".rstrip()
            spaces = "device, constant or threadgroup" if _of_kernel(program, variable) else "device, thread or another"
            at = min(variable.at, len(program.stream) - 1)
            yield Finding(at, f"the {what} needs an address space: write {spaces} before its type")


def _depends_on_instantiation_of_kernel(program: Program, variable: Variable) -> bool:
    """Whether it is an argument whose type instantiations name: an argument in no address space cannot be bound."""
    return _of_kernel(program, variable) and len(variable.words) == 1 and variable.words[0] in variable.templates


def _of_kernel(program: Program, variable: Variable) -> bool:
    function = program.enclosing(variable.at)
    return variable.role is Role.PARAMETER and function is not None and function.kernel


@rule("return-address-space", _SPACES, "A pointer or reference that a function returns needs an address space.")
def return_address_space(program: Program) -> Iterator[Finding]:
    for function in program.functions:
        known = program.is_object(function.words, function.templates, function.at)
        if function.indirect and not function.spaces and known:
            yield Finding(function.at, f"{function.name} returns a pointer or reference without an address space")


@rule("cast-address-space", _SPACES, "A cast to a pointer or reference must name an address space.")
def cast_address_space(program: Program) -> Iterator[Finding]:
    stream = program.stream
    for i in stream.each({*_CASTS, "("}):
        text = stream.texts[i]
        if text in _CASTS and stream.text(i + 1) == "<":
            closing = stream.angle(i + 1)
            if closing is None:
                continue
            first, end = i + 2, closing
        elif text == "(" and i + 1 < len(stream):
            first, end = i + 1, stream.close[i]
            behind = end + 1
            operand = stream.is_name(behind) or stream.text(behind) in ("(", "&", "*")
            before = stream.text(i - 1)
            if not operand or stream.is_name(i - 1) or before in (")", "]", ">", "sizeof", "operator"):
                continue
        else:
            continue
        words = [w for w in stream.texts[first:end] if w not in _QUALIFIERS]
        stars = [w for w in words if w in ("*", "&")]
        base = tuple(w for w in words if w not in ("*", "&"))
        if not types.ADDRESS_SPACES.isdisjoint(words):
            continue
        if stars and words[-1] in ("*", "&") and base and _is_type(program, base, i):
            yield Finding(
                i, f"the cast to {types.spelled(base)}{''.join(stars)} needs an address space before the type"
            )


def _is_type(program: Program, words: tuple[str, ...], i: int) -> bool:
    """Whether the words are surely a type without an address space, and no variable."""
    function = program.enclosing(i)
    templates = function.templates if function is not None else frozenset[str]()
    plain = all(word.isidentifier() or word in ("::", "<", ">", ",") or word.isdigit() for word in words)
    return plain and program.variable(words[-1], i) is None and program.is_object(words, templates, i)


@rule("program-scope", _CONSTANT, "Variables at program scope must be in the constant address space.")
def program_scope(program: Program) -> Iterator[Finding]:
    for variable in program.variables:
        if variable.role is not Role.GLOBAL or variable.function or "constant" in variable.spaces:
            continue
        if variable.qualified or not variable.name or variable.words[-1:] in (("sampler",), ()):
            continue
        if "threadgroup" in variable.spaces and not variable.indirect:
            message = f"{variable.name}: threadgroup variables can only be declared in a kernel"
        else:
            message = f"{variable.name} is declared at program scope and must be constant"
        yield Finding(variable.at, message)


@rule(
    "static-member", _CONSTANT, "Static members are at program scope and belong into the constant address space.",
    severity=Severity.WARNING,
)  # fmt: skip
def static_member(program: Program) -> Iterator[Finding]:
    for variable in program.variables:
        if variable.role is Role.MEMBER and "static" in variable.specifiers and not variable.spaces:
            message = f"the static member {variable.name} should be in constant memory"
            yield Finding(variable.at, f"{message}: static constant constexpr")


@rule("constant-uninitialised", _CONSTANT, "A constant at program scope must be initialised where it is declared.")
def constant_uninitialised(program: Program) -> Iterator[Finding]:
    for variable in program.variables:
        if variable.role is not Role.GLOBAL or "constant" not in variable.spaces or variable.indirect:
            continue
        given = variable.initialiser is not None or variable.attribute("function_constant") is not None
        elsewhere = variable.qualified or "extern" in variable.specifiers
        if not given and not elsewhere and program.type_of(variable) in types.BYTES:
            yield Finding(variable.at, f"the constant {variable.name} has no value")


@rule("variable-address-space", _DEVICE, "Only pointers and references can be declared in the device address space.")
def variable_address_space(program: Program) -> Iterator[Finding]:
    for variable in program.variables:
        if variable.indirect or variable.function or not variable.spaces or program.type_of(variable) is None:
            continue
        space = variable.spaces[0]
        match variable.role:
            case Role.LOCAL if space == "device":
                yield Finding(variable.at, f"the variable {variable.name} cannot be in device memory: only buffers are")
            case Role.PARAMETER if space in ("device", "constant", "threadgroup") and not variable.dimensions:
                message = f"the parameter {variable.name} is a value and cannot be in an address space: add * or &"
                yield Finding(variable.at, message)
            case Role.MEMBER if "static" not in variable.specifiers and space in ("device", "constant", "threadgroup"):
                message = f"the member {variable.name} cannot be in an address space of its own: its struct is in one"
                yield Finding(variable.at, message)
            case _:
                pass


def threadgroup_variables(program: Program) -> Iterator[tuple[Variable, Function]]:
    """Each threadgroup variable inside a function, and the function."""
    for variable in program.variables:
        if variable.role is Role.LOCAL and "threadgroup" in variable.spaces and not variable.indirect:
            function = program.outermost(variable.at)
            if function is not None and not variable.function:
                yield variable, function


@rule("threadgroup-scope", _THREADGROUP, "Threadgroup variables can be declared in kernels only.")
def threadgroup_scope(program: Program) -> Iterator[Finding]:
    for variable, function in threadgroup_variables(program):
        if not function.kernel:
            message = f"{variable.name}: threadgroup variables can only be declared in a kernel"
            yield Finding(variable.at, f"{message}, and {function.name} is none")


@rule(
    "threadgroup-initialiser", _THREADGROUP, "Threadgroup memory starts undefined: its variables take no initialiser.",
    severity=Severity.WARNING,
)  # fmt: skip
def threadgroup_initialiser(program: Program) -> Iterator[Finding]:
    for variable, _ in threadgroup_variables(program):
        if variable.initialiser is not None:
            yield Finding(variable.at, f"the threadgroup variable {variable.name} cannot be given a value here")


@rule("threadgroup-memory", _THREADGROUP, "A threadgroup has 32 KiB of threadgroup memory on every Apple GPU.")
def threadgroup_memory(program: Program) -> Iterator[Finding]:
    total: dict[int, int] = {}
    for variable, function in threadgroup_variables(program):
        size = bytes_of(program, variable)
        if not function.kernel or size is None:
            continue
        before = total.get(function.at, 0)
        total[function.at] = before + size
        if before <= MOST_THREADGROUP_BYTES < before + size:
            message = f"the threadgroup variables of {function.name} take {before + size} bytes up to here: "
            yield Finding(variable.at, f"{message}{MOST_THREADGROUP_BYTES} are available")


def bytes_of(program: Program, variable: Variable) -> int | None:
    """The size of a variable in memory, bytes, where its type and dimensions are known."""
    size = types.BYTES.get(program.type_of(variable) or "")
    for dimension in variable.dimensions:
        count = program.value(dimension)
        if size is None or count is None or count < 0:
            return None
        size *= count
    return size


@rule("static-local", "5.3 Storage Class Specifiers", "Variables inside functions cannot be static.")
def static_local(program: Program) -> Iterator[Finding]:
    for variable in program.variables:
        if variable.role is not Role.LOCAL or "static" not in variable.specifiers:
            continue
        if not variable.spaces and "constexpr" not in variable.specifiers:
            yield Finding(variable.at, f"{variable.name} cannot be static: threads of a kernel share no variables")
