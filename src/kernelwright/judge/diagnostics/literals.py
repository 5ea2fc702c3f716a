"""Kernel sources inside a candidate: every string of the file, and the row on which each of its lines stands."""

import ast
import io
import re
import tokenize
from dataclasses import dataclass

_OPENING = re.compile(r"(?P<prefix>[A-Za-z]*)(?P<quote>\"\"\"|'''|\"|')")
_PIECE = re.compile(r"\\(?:\r?\n|.)|\r?\n|[^\\\n\r]+|\\|\r", re.DOTALL)


@dataclass(frozen=True)
class Literal:
    """One string of the file; neighbours that Python joins are one."""

    value: str
    rows: tuple[int, ...]
    """For each line of ``value`` the row of the file that it begins on, counted from 1."""


def literals(source: str) -> tuple[Literal, ...]:
    """In the order of the file. Empty where the file does not parse. F-strings are left out: they have no one value."""
    try:
        tree = ast.parse(source)
        tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.STRING]
    except (SyntaxError, tokenize.TokenError, ValueError, RecursionError):
        return ()
    found: list[Literal] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            end = (node.end_lineno or node.lineno, node.end_col_offset or 0)
            inside = [t for t in tokens if (node.lineno, 0) <= t.start and t.end[0] <= end[0]]
            rows = _rows([t for t in inside if (t.start[0] > node.lineno or _column(t) >= node.col_offset)])
            if len(rows) == node.value.count("\n") + 1:
                found.append(Literal(node.value, rows))
    return tuple(sorted(found, key=lambda literal: literal.rows))


def _column(token: tokenize.TokenInfo) -> int:
    """In bytes, as the syntax tree counts columns; a token counts characters."""
    return len(token.line[: token.start[1]].encode()) if token.line else token.start[1]


def _rows(tokens: list[tokenize.TokenInfo]) -> tuple[int, ...]:
    """The row of the file on which each line of the joined strings begins."""
    rows: list[int] = []
    begun = False
    """Whether the line that is being read has a character yet."""
    for token in tokens:
        opening = _OPENING.match(token.string)
        if opening is None:
            return ()
        raw = "r" in opening["prefix"].lower()
        row = token.start[0]
        if not rows:
            rows.append(row)
        elif not begun:
            rows[-1] = row
        for piece in _PIECE.findall(token.string[opening.end() : -len(opening["quote"])]):
            broken = piece.endswith("\n")
            row += broken
            joined = broken and piece.startswith("\\") and not raw
            if (broken and not joined) or (piece == "\\n" and not raw):
                rows.append(row)
                begun = False
            elif joined and not begun:
                rows[-1] = row
            else:
                begun = True
    return tuple(rows)
