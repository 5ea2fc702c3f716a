"""Why the rule is wrong about a cell, where it is: read from what the variant does and how large its effect is."""

from accuracy.experiment import Cell

_VISIBLE = 2.5
"""Rounding units: an error norm up to here is what a result of several rounded steps has."""


def cause(cell: Cell) -> str | None:
    """The cause of a false rejection or acceptance in one line; ``None`` where none is known."""
    return _of_rejection(cell) if cell.honest else _of_acceptance(cell)


def _of_rejection(cell: Cell) -> str | None:
    return None


def _of_acceptance(cell: Cell) -> str | None:
    return None
