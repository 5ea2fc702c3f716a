"""Rules on single words: what C++ has and Metal has not."""

from collections.abc import Iterator

from kernelwright.metal.strict.rules import Finding, rule
from kernelwright.metal.strict.view import Program

_RESTRICTIONS = "1.5.4 Restrictions"
_SCALARS = "2.1 Scalar Data Types"

_ALLOCATION = frozenset({"malloc", "calloc", "realloc", "free", "alloca", "__builtin_alloca", "__builtin_malloc"})
_C_LIBRARY = frozenset({
    "printf", "fprintf", "sprintf", "snprintf", "puts", "putchar", "abort", "exit", "rand", "srand", "va_list",
    "va_start", "va_arg", "va_end", "va_copy", "__builtin_va_list", "__builtin_va_start", "__builtin_va_arg",
    "__builtin_va_end",
})  # fmt: skip
_NO_SUCH_TYPES = frozenset({"double", "__int128", "__float128", "__float80", "_Complex"})
_NO_SUCH_VECTORS = frozenset({"double2", "double3", "double4"})


def _calls(program: Program, names: frozenset[str]) -> Iterator[int]:
    """Unqualified calls of functions that the program does not declare."""
    stream = program.stream
    for i in program.stream.each(names):
        called = stream.text(i + 1) == "(" and stream.text(i - 1) not in (".", "->", "::")
        if called and not program.declares(stream.texts[i]):
            yield i


@rule("goto", _RESTRICTIONS, "Metal has no goto statement.")
def goto(program: Program) -> Iterator[Finding]:
    for i in program.stream.each(("goto",)):
        yield Finding(i, "goto is not part of Metal")


@rule("dynamic-cast", _RESTRICTIONS, "Metal has no dynamic_cast operator.")
def dynamic_cast(program: Program) -> Iterator[Finding]:
    for i in program.stream.each(("dynamic_cast",)):
        yield Finding(i, "dynamic_cast is not part of Metal: types are not known while a kernel runs")


@rule("type-identification", _RESTRICTIONS, "Metal has no type identification.")
def type_identification(program: Program) -> Iterator[Finding]:
    for i in program.stream.each(("typeid",)):
        yield Finding(i, "typeid is not part of Metal: types are not known while a kernel runs")


@rule("new-delete", _RESTRICTIONS, "Metal has no new and delete operators.")
def new_delete(program: Program) -> Iterator[Finding]:
    stream = program.stream
    for i in program.stream.each(("new", "delete")):
        deleted = stream.text(i - 1) == "=" and stream.text(i + 1) == ";"
        if not deleted:
            yield Finding(i, f"{stream.texts[i]} is not part of Metal: a kernel cannot allocate memory")


@rule("allocation", _RESTRICTIONS, "Metal has no C library, and no memory that a kernel could allocate.")
def allocation(program: Program) -> Iterator[Finding]:
    for i in _calls(program, _ALLOCATION):
        yield Finding(i, f"there is no {program.stream.texts[i]} in Metal: a kernel cannot allocate memory")


@rule("exceptions", _RESTRICTIONS, "Metal has no exception handling.")
def exceptions(program: Program) -> Iterator[Finding]:
    for i in program.stream.each(("try", "throw")):
        yield Finding(i, f"{program.stream.texts[i]} is not part of Metal: it has no exceptions")


@rule("virtual", _RESTRICTIONS, "Metal has no virtual functions.")
def virtual(program: Program) -> Iterator[Finding]:
    for i in program.stream.each(("virtual",)):
        yield Finding(i, "virtual is not part of Metal: use templates to choose between functions")


@rule("noexcept-operator", _RESTRICTIONS, "Metal has no noexcept operator.")
def noexcept_operator(program: Program) -> Iterator[Finding]:
    stream = program.stream
    before_specifier = frozenset({")", "const", "volatile", "&", "&&", "mutable", "thread", "device"})
    for i in program.stream.each(("noexcept",)):
        if stream.text(i + 1) == "(" and stream.text(i - 1) not in before_specifier:
            yield Finding(i, "the operator noexcept(…) is not part of Metal")


@rule("storage-class", "5.3 Storage Class Specifiers", "Metal supports the storage classes static and extern only.")
def storage_class(program: Program) -> Iterator[Finding]:
    for i in program.stream.each(("register", "thread_local", "__thread")):
        yield Finding(i, f"the storage class {program.stream.texts[i]} is not part of Metal")


@rule("double", _SCALARS, "Metal does not support the types double, long double and long long.")
def double(program: Program) -> Iterator[Finding]:
    stream = program.stream
    for i in program.stream.each(_NO_SUCH_TYPES):
        yield Finding(i, f"{stream.texts[i]} is not a type of Metal: float has the widest range and precision")
    for i in program.stream.each(_NO_SUCH_VECTORS):
        if not program.declares(stream.texts[i]):
            yield Finding(i, f"{stream.texts[i]} is not a type of Metal: it has no double")
    for i in program.stream.each(("long",)):
        if stream.text(i + 1) == "long":
            yield Finding(i, "long long is not a type of Metal: long has 64 bits")


@rule("standard-library", _RESTRICTIONS, "The C++ standard library must not be used in Metal code.")
def standard_library(program: Program) -> Iterator[Finding]:
    stream = program.stream
    if "std" not in program.namespaces:
        for i in program.stream.each(("std",)):
            name = stream.text(i + 2)
            if stream.text(i + 1) == "::" and stream.text(i - 1) not in (".", "->"):
                hint = f"; the standard library of Metal is metal::{name}" if name in _IN_METAL else ""
                yield Finding(i, f"std::{name} is not available in Metal{hint}")
            elif stream.text(i - 1) == "namespace" and stream.text(i - 2) == "using":
                yield Finding(i, "there is no namespace std in Metal: its standard library is the namespace metal")
    for i in _calls(program, _C_LIBRARY):
        yield Finding(i, f"there is no {stream.texts[i]} in Metal: it has no C library")


_IN_METAL = frozenset({
    "abs", "acos", "array", "asin", "atan", "atan2", "ceil", "clamp", "conditional_t", "cos", "cosh", "decay_t",
    "declval", "enable_if", "enable_if_t", "exp", "exp2", "fabs", "floor", "fma", "fmax", "fmin", "fmod", "forward",
    "integral_constant", "is_floating_point", "is_integral", "is_same", "is_same_v", "log", "log2", "max", "min",
    "move", "numeric_limits", "pow", "remove_cv_t", "round", "sin", "sinh", "sqrt", "swap", "tan", "tanh", "trunc",
    "tuple",
})  # fmt: skip


@rule("function-main", _RESTRICTIONS, "A Metal function cannot be called main.")
def function_main(program: Program) -> Iterator[Finding]:
    for function in program.functions:
        if function.name == "main" and not function.record and function.body is not None:
            yield Finding(function.at, "a function of Metal cannot be called main")


@rule("lambda", _RESTRICTIONS, "Lambda expressions came with Metal 3.2; what they capture follows C++.", legal_from=320)
def lambda_expression(program: Program) -> Iterator[Finding]:
    for function in program.functions:
        if not function.name:
            yield Finding(function.at, "lambda expressions are not part of Metal before version 3.2")
