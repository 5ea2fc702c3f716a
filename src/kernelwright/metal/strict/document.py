"""The page ``docs/metal-strictness.md``, made from the register of rules.

``python -m kernelwright.metal.strict.document > docs/metal-strictness.md`` writes it; a test compares the two.
"""

from collections.abc import Iterable, Sequence

from kernelwright.metal.contract import Severity
from kernelwright.metal.strict.rules import LANGUAGE_VERSION, Rule, rules

_BEGINNING = """\
# How strict the Metal room is

Kernels are compiled by clang as C++, with our own headers in the place of Apple's. Clang alone would take programs that
Apple's compiler rejects: address spaces mean nothing on a CPU, and Metal leaves out parts of C++. The rules on this
page are checked on the program's tokens before it is compiled. A rule names the section of the Metal Shading Language
Specification, version 3.2, that it comes from.

What this does **not** say: a program that passes is not thereby accepted by Apple's compiler. The last section lists
what tokens cannot decide. The rules never guess: where a type depends on a template argument, or a name is declared
where we cannot see it, they say nothing.

This page is generated from the rules (`python -m kernelwright.metal.strict.document`); do not edit it.
"""

_LAUNCH = """\
## When a kernel is dispatched

| what | limit |
|---|---|
| threads of a threadgroup | 1024, and what `[[max_total_threads_per_threadgroup(n)]]` says |
| threads in each dimension | at least 1 |
| threadgroup memory, variables and arguments together | 32 KiB |
"""

_LEFT = (
    (
        "Address spaces of expressions longer than `name`, `name + i`, `name[i]`, `*name`, `&name[i]`; of `auto` "
        "variables and of values that functions return",
        "accepted; a pointer to the wrong memory works on the CPU",
    ),
    (
        "Address spaces inside template arguments, and of pointers to pointers beyond the first written one",
        "accepted",
    ),
    (
        "`const thread T&` bound to an object in other memory",
        "accepted: whether it may be a copy depends on the types",
    ),
    (
        "References and pointers to types that depend on a template argument, without an address space",
        "accepted, whether or not an instantiation would be legal",
    ),
    (
        "Which overload a call means",
        "a call is only judged when all functions of that name and number of parameters agree",
    ),
    (
        "Implicit conversions inside longer expressions, in arguments and in `return`",
        "left to the constructors of our vector types",
    ),
    (
        "Code in templates that nothing instantiates",
        "checked as far as its tokens go; Apple's compiler also looks at the types that are known",
    ),
    (
        "Sizes of threadgroup variables whose dimensions are template arguments or whose type is a struct",
        "counted when the kernel is dispatched",
    ),
    (
        "Static data members and local variables that are `constexpr` but not `constant`",
        "a warning for members, nothing for local variables: compilers differ",
    ),
    (
        "Recursion, lambdas, bit-fields, derived classes, `if constexpr`, pointers to functions as parameters",
        "accepted: legal in this version, or taken by Apple's compiler in kernels that are shipped (PyTorch's, ggml's)",
    ),
    ("Structs of pointers (argument buffers), `[[id(n)]]`", "accepted, not checked"),
    (
        "Functions of the compiler (`__builtin_…`, `__sync_…`, `__atomic_…`)",
        "accepted: macros of the library expand to some of them",
    ),
    ("Two kernels with one name, or one `[[host_name]]`", "not looked at here"),
    (
        "Which operations a GPU family has (bfloat, float atomics, simdgroup matrices)",
        "the rules are those of the language, not of a device",
    ),
    ("Limits of registers and of the size of a program, time limits of a dispatch", "only a Mac can tell"),
    ("Fast math, subnormal numbers, the order in which `simd_sum` adds", "only a Mac can tell"),
)


def page() -> str:
    """The whole page."""
    errors = [r for r in rules() if r.severity is Severity.ERROR and r.applies(LANGUAGE_VERSION)]
    warnings = [r for r in rules() if r.severity is not Severity.ERROR and r.applies(LANGUAGE_VERSION)]
    older = [r for r in rules() if not r.applies(LANGUAGE_VERSION)]
    parts = [
        _BEGINNING,
        "## Errors\n\nA program that breaks one of these is not compiled.\n\n" + _table(errors),
        "## Warnings\n\nThe specification is silent here, or compilers differ.\n\n" + _table(warnings),
        "## Errors in older versions\n\n"
        f"Programs are checked as Metal {LANGUAGE_VERSION // 100}.{LANGUAGE_VERSION // 10 % 10}. "
        "`strict.check(tokens, version=…)` checks older ones.\n\n" + _table(older),
        _LAUNCH,
        "## What cannot be checked here\n\n" + _rows(("what", "what happens instead"), _LEFT),
    ]
    return "\n".join(parts)


def _table(found: list[Rule]) -> str:
    found = sorted(found, key=_section_order)
    return _rows(("rule", "section", "what the language says"), ((f"`{r.name}`", r.section, r.reason) for r in found))


def _section_order(rule: Rule) -> tuple[list[int], str]:
    """By the section's number; sections without one come last."""
    number = rule.section.split()[0]
    known = number[0].isdigit()
    return ([int(part) for part in number.split(".")] if known else [99]), rule.section


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    print(page(), end="")
