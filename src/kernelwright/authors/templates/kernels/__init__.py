"""Triton kernels as text: candidates contain them, so nothing here imports the rest of Kernelwright."""

import ast
from functools import cache
from pathlib import Path


@cache
def functions(name: str) -> dict[str, str]:
    """The functions of ``kernels/NAME.py`` as source, by their names."""
    text = (Path(__file__).parent / f"{name}.py").read_text()
    lines = text.splitlines()
    found: dict[str, str] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            start = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[node.name] = "\n".join(lines[start - 1 : node.end_lineno])
    return found


def definitions(name: str) -> str:
    """All of them, without the module's docstring and imports."""
    return "\n\n\n".join(functions(name).values())
