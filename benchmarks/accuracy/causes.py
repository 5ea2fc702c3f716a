"""Why the rule is wrong about a cell, where it is: read from what the variant does and how large its effect is."""

from accuracy.experiment import Cell

_UNSEEN = 2.0
"""Rounding units: an error norm up to here is that of a few roundings; a correctly rounded result has about 0.4."""
_AVERAGES = frozenset({"reduction", "loss"})
_POSITIVE = frozenset({"matmul of positives", "mean of positives", "Gram matrix"})
_NUMBERS = frozenset({"sum of all", "mean squared error", "cross entropy"})
_TAILS = ("cut off", "zero below", "beyond", "below -5", "identity above", "tanh GELU", "cubic exp", "mask of -1e4")

SERIAL = "Another order of summation at the bound: PyTorch adds up to 30 times as exactly"
LUCK = "A single number that eager happens to hit more exactly than its order of summation would let expect"
HIT = "A single number that the lower precision happens to hit"
MANY = "Over 65,536 terms of one sign the rounding of operands averages out to the error of a long sum"
SAMPLED = "The mean of half of 65,536 terms is that of all of them, to within the rounding of the result"
NARROW = "Partial results in float16 overflow on large values; PyTorch keeps them in float32"
AVERAGED = "Rounding errors of many terms of one sign average out: what is left is a rounding or two of the result"
LIGHT = "What is left out weighs less than the rounding of the result"
FOOT = "Wrong only where output or weight is small beside the rest, below what the dtype's rounding hides"
WEAKENED = "The error of one step shrinks in the steps behind it to that of a few roundings"
LOOSE = (
    "A bfloat16 result in float16: eight roundings, where eager's own several steps and the conditioned run allow ten"
)


def cause(cell: Cell) -> str | None:
    """The cause of a false rejection or acceptance in one line; ``None`` where none is known."""
    return _of_rejection(cell) if cell.honest else _of_acceptance(cell)


def _of_rejection(cell: Cell) -> str | None:
    if cell.kind == "reordering" and cell.dtype == "float32" and cell.to_bound < 2:
        return LUCK if cell.operator == "sum of all" else SERIAL
    if cell.kind == "unfused" and cell.dtype == "float16" and set(cell.caught_by) & set(cell.plan) == {"large"}:
        return NARROW
    return None


def _of_acceptance(cell: Cell) -> str | None:
    if cell.dtype == "float32":
        return MANY if cell.operator in _POSITIVE and cell.kind == "format" and max(cell.size) > 50_000 else None
    if cell.kind == "format" and cell.operator in _NUMBERS and cell.error > _UNSEEN:
        return HIT
    averaged = cell.family in _AVERAGES or cell.operator in _POSITIVE
    if any(word in cell.variant for word in _TAILS):
        return FOOT
    if cell.variant == "bfloat16 result":
        return LOOSE
    if cell.kind == "structure" and ("left out" in cell.variant or "without the last" in cell.variant):
        return LIGHT if cell.error <= _UNSEEN or averaged else None
    if cell.variant == "every second element":
        return SAMPLED if cell.error <= _UNSEEN else None
    if cell.kind == "format" and averaged and cell.error <= _UNSEEN:
        return AVERAGED
    if cell.kind == "approximation":
        return WEAKENED if cell.error <= 4 else None
    return None
