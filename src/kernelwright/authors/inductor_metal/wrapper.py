"""TorchInductor's wrapper code, read: which kernels it defines, and the statements of its ``call``."""

import ast
from dataclasses import dataclass

from kernelwright.authors.author import AuthorError


@dataclass(frozen=True)
class Kernel:
    """One kernel as Inductor wrote it."""

    name: str
    """In the wrapper code."""
    entry: str
    """In the Metal source."""
    source: str
    headers: tuple[str, ...]
    """Names of ``c10/metal`` headers."""


@dataclass(frozen=True)
class Wrapper:
    """The wrapper code's parts."""

    kernels: dict[str, Kernel]
    arguments: tuple[str, ...]
    """What ``call`` names its arguments, in order."""
    body: tuple[ast.stmt, ...]
    """The statements of ``call`` that do or name something; checks and deletions are left out."""


_CHECKS = frozenset({"assert_size_stride", "assert_alignment", "copy_if_misaligned"})


def read(code: str) -> Wrapper:
    """The parts of Inductor's wrapper code. Raises ``AuthorError`` where work would not run on the Mac's GPU."""
    tree = ast.parse(code)
    kernels: dict[str, Kernel] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            target, function = statement.targets[0], ast.unparse(statement.value.func)
            literals = [a.value for a in statement.value.args if isinstance(a, ast.Constant)]
            if function == "async_compile.metal":
                headers = ast.literal_eval(statement.value.args[2])
                name, source = map(str, literals)
                kernels[name] = Kernel(name, name, source, tuple(headers))
            elif function == "compile_mps_shader":  # torch before 2.12: a library for each kernel
                kernels[ast.unparse(target)] = _single(ast.unparse(target), str(literals[0]))
            elif function.startswith("async_compile."):
                raise AuthorError(f"TorchInductor leaves a part to {function}, which is no Metal kernel")
    call = next((n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "call"), None)
    if call is None:
        raise AuthorError("TorchInductor's wrapper code has no function call")
    arguments: tuple[str, ...] = ()
    body: list[ast.stmt] = []
    for statement in call.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.value) == "args":
            arguments = tuple(n.id for n in ast.walk(statement.targets[0]) if isinstance(n, ast.Name))
        elif not _is_housekeeping(statement):
            body.append(statement)
    return Wrapper(kernels, arguments, tuple(body))


def _single(name: str, source: str) -> Kernel:
    lines = source.splitlines()
    includes = [line.strip() for line in lines if line.strip().startswith("#include")]
    headers = tuple(i.split("c10/metal/")[1].removesuffix(".h>") for i in includes)
    text = "\n".join(line for line in lines if not line.strip().startswith("#include"))
    return Kernel(name, "generated_kernel", text, headers)


def _is_housekeeping(statement: ast.stmt) -> bool:
    """Checks of sizes, and the wrapper's care for when memory is freed."""
    if isinstance(statement, ast.Delete):
        return True
    value = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
    if not isinstance(value, ast.Call):
        return False
    return ast.unparse(value.func) in _CHECKS or ast.unparse(value) == "args.clear()"
