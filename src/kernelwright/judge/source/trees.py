"""What the rules ask of a syntax tree."""

import ast
from collections.abc import Iterator


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of names and attributes, ``""`` of anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the dotted name of what is called; names bound by ``import … as`` stand for what they import."""
    bound = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            head, dot, rest = dotted(node.func).partition(".")
            yield node, bound.get(head, head) + dot + rest


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Local name to dotted name, for every import in the file."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and module of every absolute import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.lineno, node.module


def forwards(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """The ``forward`` and ``__call__`` methods of the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("forward", "__call__"):
            yield node


def strings(tree: ast.AST) -> Iterator[tuple[ast.Constant, str | bytes]]:
    """Every text and bytes literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node, node.value
