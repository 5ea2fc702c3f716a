"""Counting floating-point operations: LLVM's textual code, with additions to a counter. Imports no torch.

What counts is what is executed after the compiler's optimisation at ``-O1``, without vectorisation (a short branch may
have become a choice between two results, both of which all threads compute):

- an addition, subtraction, multiplication, division or remainder of floating-point numbers is one operation, a
  multiplication and addition that the compiler contracted, or ``fma``, is two; of vectors, times their components;
- a call of a mathematical function (``sqrt``, ``exp``, ``pow``, ``sin``, …) is one. Functions of Metal that stand for
  several, as ``rsqrt``, ``tanpi``, ``normalize`` or ``mix``, count as those;
- ``simd_sum`` over 32 threads is the 31 additions that it takes, counted once for the SIMD-group, and
  ``simdgroup_multiply_accumulate`` is 2 · 8 · 8 · 8;
- comparisons, ``min``, ``max``, ``abs``, negation, rounding, selections, conversions and integer arithmetic are none.

The text that clang 16 and clang 22 write differs in nothing that is looked at here.
"""

import re

COUNTER = "kw_flops"
"""The runtime's counter, 64 bits (``runtime/counters.cpp``)."""

_OPERATION = re.compile(r"  %\S+ = f(?:add|sub|mul|div|rem) (?:[a-z]+ )*(?:<(\d+) x )?(?:half|bfloat|float|double)\b")
_CALL = re.compile(
    r"  %\S+ = (?:(?:tail|notail|musttail) )?call [^@]*?(?:<(\d+) x )?(?:half|bfloat|float|double)>? @([\w.]+)\("
)
_FUSED = ("llvm.fma.", "llvm.fmuladd.")
_FUNCTIONS = frozenset({
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "exp", "exp10", "exp2", "fmod", "log",
    "log10", "log2", "pow", "sin", "sinh", "sqrt", "tan", "tanh",
})  # fmt: skip
_INTRINSIC = re.compile(r"llvm\.(\w+)\.")


def counted(code: str) -> str:
    """The code, each basic block that computes adding its operations to ``@kw_flops`` when it is reached."""
    lines: list[str] = []
    first = operations = number = 0
    inside = False

    def close() -> None:
        """Ends a block: the addition goes before its first operation, which nothing of a block's head follows."""
        nonlocal operations, number
        if operations:
            number += 1
            lines[first:first] = _addition(number, operations)
            operations = 0

    for line in code.splitlines():
        if not line.startswith("  "):
            close()  # a label, or the function's end
            if line.startswith(("define ", "}")):
                inside = line.startswith("define ")
        elif inside and (found := operations_of(line)):
            first = first if operations else len(lines)
            operations += found
        lines.append(line)
    return "\n".join((*lines, f"@{COUNTER} = external global i64", ""))


def operations_of(line: str) -> int:
    """Floating-point operations that one instruction executes, 0 for most."""
    if (found := _OPERATION.match(line)) is not None:
        return int(found[1] or 1)
    if " call " not in line or (found := _CALL.match(line)) is None:
        return 0
    lanes, name = int(found[1] or 1), found[2]
    if name.startswith(_FUSED):
        return 2 * lanes
    intrinsic = _INTRINSIC.match(name)
    function = intrinsic[1] if intrinsic else name.removesuffix("f")
    return lanes if function in _FUNCTIONS else 0


def _addition(number: int, operations: int) -> list[str]:
    """Names, because unnamed values have to be numbered in the order of the text."""
    old, new = f"%{COUNTER}.{number}", f"%{COUNTER}.{number}.more"
    return [
        f"  {old} = load i64, ptr @{COUNTER}, align 8",
        f"  {new} = add i64 {old}, {operations}",
        f"  store i64 {new}, ptr @{COUNTER}, align 8",
    ]
