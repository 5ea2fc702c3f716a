"""Triton kernels as text: candidates contain them, so nothing here imports the rest of Kernelwright."""

import ast
from functools import cache
from pathlib import Path


@cache
def definitions(name: str) -> str:
    """The functions of ``kernels/NAME.py`` as source, without the module's docstring and imports."""
    text = (Path(__file__).parent / f"{name}.py").read_text()
    lines = text.splitlines()
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    starts = [min([node.lineno, *(d.lineno for d in node.decorator_list)]) for node in functions]
    return "\n\n\n".join(
        "\n".join(lines[start - 1 : node.end_lineno]) for start, node in zip(starts, functions, strict=True)
    )
