"""Smaller sizes for a problem file that is too large for this machine, and what was changed.

Only whole numbers that the file itself names at the top level are touched (``batch_size = 4096``,
``shape = (64, 512)``), by halving the largest of them again and again until the inputs fit. Names that ``get_inputs``
uses and ``get_init_inputs`` does not (batch, height, length) go first: they change the amount of data and leave the
module as it is. Only when those are used up are the others halved, wherever they stand, so that constructor and inputs
keep fitting. A size never falls below 8, and only even numbers are halved, so that heads and groups go on dividing
their channels.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass

SMALLEST = 8


@dataclass(frozen=True)
class Literal:
    """One whole number in the text: what it is called, where it stands."""

    name: str
    value: int
    line: int
    column: int
    end: int
    free: bool
    """The module's constructor does not depend on it."""


def literals(source: str) -> list[Literal]:
    """Every positive whole number assigned at the top level that ``get_inputs`` can see."""
    tree = ast.parse(source)
    in_inputs, in_constructor = _reached(tree, "get_inputs"), _reached(tree, "get_init_inputs")
    found: list[Literal] = []
    for statement in tree.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        name = statement.targets[0].id
        if name not in in_inputs:
            continue
        for node in ast.walk(statement.value):
            if isinstance(node, ast.Constant) and type(node.value) is int and node.end_lineno == node.lineno:
                place = (node.lineno, node.col_offset, node.end_col_offset or node.col_offset)
                found.append(Literal(name, node.value, *place, free=name not in in_constructor))
    return found


def _reached(tree: ast.Module, function: str) -> set[str]:
    """Top-level names that a function reads, directly or through other top-level assignments."""
    assigned = {
        statement.targets[0].id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    todo: list[ast.AST] = [s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == function]
    names: set[str] = set()
    while todo:
        for node in ast.walk(todo.pop()):
            if isinstance(node, ast.Name) and node.id in assigned and node.id not in names:
                names.add(node.id)
                todo.append(assigned[node.id])
    return names


def fit(source: str, limit: int, measure: Callable[[str], int]) -> tuple[str, dict[str, str]]:
    """The text with sizes halved until ``measure`` (bytes of the inputs of a text) is within ``limit``.

    Returns the text and what changed, name to ``"old -> new"``; the text as it is when it fits. Raises ``ValueError``
    with one line when nothing is left to halve.
    """
    text = source
    while (size := measure(text)) > limit:
        usable = [n for n in literals(text) if n.value >= 2 * SMALLEST and n.value % 2 == 0]
        if not usable:
            raise ValueError(f"inputs of {size / 2**30:.2f} GiB, and no size in the file that could be halved")
        largest = max(usable, key=lambda n: (n.free, n.value))
        lines = text.splitlines(keepends=True)
        line = lines[largest.line - 1].encode()  # columns of the syntax tree count bytes
        halved = str(largest.value // 2).encode()
        lines[largest.line - 1] = (line[: largest.column] + halved + line[largest.end :]).decode()
        text = "".join(lines)
    changed = {
        f"{old.name} (line {old.line})": f"{old.value} -> {new.value}"
        for old, new in zip(literals(source), literals(text), strict=True)
        if old.value != new.value
    }
    return text, changed
