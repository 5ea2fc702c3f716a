"""The ``kernelbench`` format: one Python file with ``Model``, ``get_inputs`` and, optionally, ``get_init_inputs``.

The contract is KernelBench's (https://github.com/ScalingIntelligence/KernelBench): ``Model`` is an ``nn.Module``;
``get_inputs()`` returns the list of positional arguments of ``forward``; ``get_init_inputs()`` returns the list of
positional constructor arguments. Inputs may be tensors of any dtype, Python scalars, and nested lists, tuples and dicts
of them. One extension: ``get_init_inputs`` may return a dict, taken as keyword arguments of the constructor.

This module only reads the text; ``kernelbench_file`` runs it.
"""

import ast
import warnings
from collections.abc import Iterator

from kernelwright.problems.contract import LoadedProblem
from kernelwright.schema import Problem, ProblemError

_MODEL, _INPUTS, _INIT = "Model", "get_inputs", "get_init_inputs"
_PLAIN_BASES = frozenset({"nn.Module", "torch.nn.Module", "Module"})


class KernelBenchFormat:
    """KernelBench problem files."""

    name = "kernelbench"

    def recognises(self, source: str) -> bool:
        """Whether ``Model`` or ``get_inputs`` is defined at the top level."""
        try:
            defined = _top_level(_parse(source))
        except _NotPythonError:
            return False
        return _MODEL in defined or _INPUTS in defined

    def check(self, source: str, path: str) -> None:
        """Hold the text against the contract. Raises ``ProblemError`` with one line."""
        try:
            tree = _parse(source)
        except _NotPythonError as error:
            raise ProblemError(f"{path}: {error}") from None
        defined = _top_level(tree)
        if "*" not in defined:
            needed = ((_MODEL, "class Model"), (_INPUTS, "function get_inputs"))
            missing = [what for name, what in needed if name not in defined]
            if missing:
                raise ProblemError(f"{path}: no {' and no '.join(missing)} at the top level")
        for name in (_INPUTS, _INIT):
            _check_function(name, defined.get(name), path)
        _check_model(defined.get(_MODEL), defined, path)

    def load(self, problem: Problem) -> LoadedProblem:
        """Run the file. Raises ``ProblemError`` with one line."""
        from kernelwright.problems.kernelbench_file import KernelBenchFile

        self.check(problem.source, problem.path or problem.name)
        return KernelBenchFile(problem)


class _NotPythonError(Exception):
    """The text does not parse; the message says where."""


def _parse(source: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray escape in a docstring is not the user's present concern
            return ast.parse(source)
    except SyntaxError as error:
        where = f" at line {error.lineno}" if error.lineno else ""
        raise _NotPythonError(f"syntax error{where}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise _NotPythonError(f"cannot be parsed: {error or type(error).__name__}") from None


def _top_level(tree: ast.Module) -> dict[str, ast.stmt]:
    """Names bound when the file runs, with the statement that binds each last; ``*`` after a star import."""
    bound: dict[str, ast.stmt] = {}
    for statement in _statements(tree.body):
        match statement:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                bound[name] = statement
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                for alias in aliases:
                    bound[alias.asname or alias.name.partition(".")[0]] = statement
            case ast.Assign(targets=targets):
                for target in targets:
                    bound.update({n.id: statement for n in ast.walk(target) if isinstance(n, ast.Name)})
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                bound[name] = statement
            case _:
                continue
    return bound


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement of the top level, those inside ``if``, ``try``, ``with`` and loops included."""
    for statement in body:
        yield statement
        if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            for field in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, field, []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)


def _check_function(name: str, statement: ast.stmt | None, path: str) -> None:
    if isinstance(statement, ast.AsyncFunctionDef):
        raise ProblemError(f"{path}: {name} at line {statement.lineno} is async: it must be a plain function")
    if isinstance(statement, ast.ClassDef):
        raise ProblemError(f"{path}: {name} at line {statement.lineno} is a class: it must be a function")
    if not isinstance(statement, ast.FunctionDef):
        return
    a = statement.args
    positional = [*a.posonlyargs, *a.args]
    required = positional[: len(positional) - len(a.defaults)]
    required += [arg for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True) if default is None]
    if required:
        listed = ", ".join(arg.arg for arg in required)
        raise ProblemError(f"{path}: {name} at line {statement.lineno} takes arguments ({listed}): it must take none")


def _check_model(statement: ast.stmt | None, defined: dict[str, ast.stmt], path: str) -> None:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        raise ProblemError(f"{path}: Model at line {statement.lineno} is a function: it must be a class")
    if not isinstance(statement, ast.ClassDef):
        return
    if not statement.bases:
        raise ProblemError(f"{path}: class Model at line {statement.lineno} is not an nn.Module: it has no base class")
    only_plain_bases = all(ast.unparse(b) in _PLAIN_BASES and ast.unparse(b) not in defined for b in statement.bases)
    if only_plain_bases and not statement.decorator_list and "forward" not in _class_names(statement):
        raise ProblemError(f"{path}: class Model at line {statement.lineno} has no forward")


def _class_names(statement: ast.ClassDef) -> set[str]:
    return set(_top_level(ast.Module(body=statement.body, type_ignores=[])))
