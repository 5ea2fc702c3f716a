"""From a place in what a compiler read to the row and column of the candidate's file.

A kernel's source is a string in the file, or a Python function. What ``load_inline`` compiles begins with lines of its
own (``#include <torch/extension.h>``; for CUDA three of them), and sources may be put together from several strings.
So the line that the compiler shows is looked for in the file, and line numbers only decide between several that read
the same, or where the compiler shows none.
"""

import ast
import re
from dataclasses import dataclass

from kernelwright.judge.diagnostics.literals import Literal, literals
from kernelwright.judge.diagnostics.messages import Diagnostic

_SPACE = re.compile(r"\s+")
_ADDED = {"main.cpp": 1, "cuda.cu": 3}
"""Lines that ``load_inline`` puts before the sources of its files, unless ``no_implicit_headers`` is set."""
_MOST_ADDED = 400
"""Lines of other sources that may stand before a string's in the same file."""


@dataclass(frozen=True)
class Place:
    """In the candidate's file."""

    row: int
    """From 1."""
    column: int | None = None
    """From 0, in characters."""


def find(diagnostic: Diagnostic, source: str) -> Place | None:
    """Where in ``source``, the candidate's file, the error is; ``None`` where that cannot be said."""
    lines = source.splitlines()
    row = _row(diagnostic, source, lines)
    if row is None or not 1 <= row <= len(lines):
        return None
    return Place(row, _column(diagnostic, lines[row - 1]))


def _row(diagnostic: Diagnostic, source: str, lines: list[str]) -> int | None:
    if diagnostic.line == 0:
        return None
    if diagnostic.file.endswith(".py"):
        return diagnostic.line
    if diagnostic.function:
        return _in_function(diagnostic, source)
    shown = _squeezed(diagnostic.text)
    alike = [n for n, line in enumerate(lines, 1) if shown and shown in _squeezed(line)]
    if len(alike) == 1:
        return alike[0]
    strings = literals(source)
    added = 0 if re.search(r"no_implicit_headers\s*=\s*True", source) else _ADDED.get(diagnostic.file, 0)
    if alike:
        return _nearest(diagnostic.line - added, alike, strings)
    if shown and diagnostic.file not in _ADDED and not diagnostic.file.endswith(".cu"):
        return None  # a header's line
    return _by_number(diagnostic.line - added, diagnostic.file, strings)


def _in_function(diagnostic: Diagnostic, source: str) -> int | None:
    """Lines are counted from the function's ``def``, without its decorators."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    defined = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == diagnostic.function]
    lines = source.splitlines()
    rows = [begins + diagnostic.line - 1 for begins in defined]
    return next((row for row in rows if row <= len(lines) and diagnostic.text in lines[row - 1]), None)


def _nearest(line: int, rows: list[int], strings: tuple[Literal, ...]) -> int:
    """The row whose place in its string comes closest to the line's number; the first one outside of strings."""

    def distance(row: int) -> int:
        numbers = [string.rows.index(row) + 1 for string in strings if row in string.rows]
        return min((abs(line - number) for number in numbers), default=_MOST_ADDED)

    return min(rows, key=distance)


def _by_number(line: int, file: str, strings: tuple[Literal, ...]) -> int | None:
    """By the line's number alone, where only one string can be meant."""
    kind = "__global__" if file.endswith(".cu") else ";"
    meant = [string for string in strings if kind in string.value and 1 <= line <= len(string.rows)]
    return meant[0].rows[line - 1] if len(meant) == 1 else None


def _column(diagnostic: Diagnostic, line: str) -> int | None:
    """Where the file spells the line as the compiler shows it."""
    if diagnostic.caret is None or (start := line.find(diagnostic.text)) < 0:
        return None
    return start + diagnostic.caret


def _squeezed(line: str) -> str:
    return _SPACE.sub(" ", line.strip())
