"""A KernelBench problem's text without its inputs: what a Candidate needs of the reference. Imports no torch."""

import ast
import sys
from collections.abc import Iterator

ENTRY_POINTS = frozenset({"get_inputs", "get_init_inputs"})


def model_source(source: str) -> str:
    """The reference's text with ``Model`` and whatever it uses at module level, word for word, comments included.

    ``get_inputs``, ``get_init_inputs`` and module-level code that only they use are dropped. Raises ``ValueError`` if
    there is no ``Model``.
    """
    tree = ast.parse(source)
    statements = [s for s in tree.body if not (isinstance(s, ast.If) and "__main__" in ast.unparse(s.test))]
    binders: dict[str, list[ast.stmt]] = {}
    for statement in statements:
        for name in _bound(statement):
            binders.setdefault(name, []).append(statement)
    if "Model" not in binders:
        raise ValueError("the problem defines no Model")
    kept: set[ast.stmt] = set()
    pending = list(binders["Model"])
    # Statements that bind no name (torch.manual_seed, sys.path …) are left out: the reference is built elsewhere.
    while pending:
        statement = pending.pop()
        if statement in kept:
            continue
        kept.add(statement)
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id not in ENTRY_POINTS:
                pending += binders.get(node.id, [])
    if any(isinstance(s, ast.ImportFrom) and s.module == "__future__" for s in statements):
        kept |= {s for s in statements if isinstance(s, ast.ImportFrom) and s.module == "__future__"}
    lines = source.splitlines()
    parts: list[str] = []
    previous: ast.stmt | None = None
    for statement in statements:
        if statement in kept:
            imports = isinstance(statement, ast.Import | ast.ImportFrom)
            if previous is not None:
                together = imports and isinstance(previous, ast.Import | ast.ImportFrom)
                parts.append("" if together else "\n\n")
            parts.append("\n".join(lines[_first_line(statement) - 1 : statement.end_lineno]))
            previous = statement
    text = ""
    for part in parts:
        text += part if part.startswith("\n") else part + "\n" if part else ""
    return text


def foreign_imports(source: str) -> list[str]:
    """Top-level packages that the text imports and that are neither torch nor the standard library."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return sorted(found - sys.stdlib_module_names - {"torch"})


def _first_line(statement: ast.stmt) -> int:
    decorators = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(d.lineno for d in decorators)])


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Names that a module-level statement binds."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield (alias.asname or alias.name).split(".")[0]
    else:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
