"""Rules on types and functions of Metal's library that clang would take from our headers, and Apple's would not."""

from collections.abc import Iterator

from kernelwright.metal.strict.operands import calls
from kernelwright.metal.strict.rules import Finding, rule
from kernelwright.metal.strict.view import Program

_NOT_ATOMIC = frozenset(
    ["half", "bfloat", "char", "uchar", "short", "ushort", "int8_t", "uint8_t", "int16_t", "uint16_t", "double"]
)
_OTHER_ORDERS = frozenset(
    f"memory_order_{order}" for order in ("acquire", "release", "acq_rel", "seq_cst", "consume")
)  # fmt: skip


@rule("atomic-type", "2.6 Atomic Data Types", "There is atomic<T> for int, uint, bool, ulong and float.")
def atomic_type(program: Program) -> Iterator[Finding]:
    stream = program.stream
    if program.declares("atomic"):
        return
    for i in stream.each(("atomic",)):
        if stream.text(i + 1) == "<" and stream.text(i + 3) == ">":
            element = stream.texts[i + 2]
            vector = element[-1:] in ("2", "3", "4") and element[:-1] in ("float", "half", "int", "uint")
            if element in _NOT_ATOMIC or vector:
                yield Finding(i, f"there is no atomic<{element}> in Metal: use atomic<uint> and compare and exchange")


@rule("atomic-order", "6.15 Atomic Functions", "Atomic functions take memory_order_relaxed; fences take other orders.")
def atomic_order(program: Program) -> Iterator[Finding]:
    stream = program.stream
    for call in calls(program):
        if not (call.name.startswith("atomic_") and call.name.endswith("_explicit")) or program.declares(call.name):
            continue
        for first, end in call.arguments:
            if end == first + 1 and stream.texts[first] in _OTHER_ORDERS:
                message = f"{call.name} takes memory_order_relaxed only, and {stream.texts[first]} is given"
                yield Finding(first, message)


@rule(
    "simdgroup-matrix",
    "2.4 SIMD-group Matrix Data Types",
    "Matrices of a simdgroup are 8 by 8 of half, bfloat or float.",
)
def simdgroup_matrix(program: Program) -> Iterator[Finding]:
    stream = program.stream
    if program.declares("simdgroup_matrix"):
        return
    for i in stream.each(("simdgroup_matrix",)):
        closing = stream.angle(i + 1) if stream.text(i + 1) == "<" else None
        if closing is None:
            continue
        parts = [stream.texts[first:end] for first, end in stream.pieces(i + 2, closing)]
        sizes = [part[0] for part in parts[1:] if len(part) == 1 and part[0].isdigit()]
        if any(size != "8" for size in sizes):
            yield Finding(i, f"simdgroup_matrix has 8 rows and 8 columns, not {' by '.join(sizes)}")
        elif parts and parts[0] in (["int"], ["uint"], ["short"], ["char"], ["uchar"], ["long"], ["bool"]):
            yield Finding(i, f"simdgroup_matrix has elements of half, bfloat or float, not {parts[0][0]}")
