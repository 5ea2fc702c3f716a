"""What reading a candidate's text can tell before it runs. A help to honest authors, never the defence."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from kernelwright.judge.findings import stop
from kernelwright.schema import Candidate, Status, Target

_TARGET_PACKAGES: dict[Target, frozenset[str]] = {
    Target.TRITON: frozenset({"triton"}),
    Target.CUDA: frozenset({"cuda", "triton"}),
    Target.CPP: frozenset(),
    Target.METAL: frozenset(),
    Target.TORCH: frozenset(),
}


@dataclass(frozen=True)
class Remark:
    """What a rule says about a candidate's text. ``label`` marks the verdict; ``warning`` is a line for the reader."""

    line: int
    warning: str = ""
    label: str = ""


class IntegrityRule(Protocol):
    """Reads a candidate's syntax tree. Other packages add theirs: entry point ``kernelwright.integrity_rules``."""

    @property
    def name(self) -> str: ...

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]: ...


class UsesTorchCompile:
    """Labels candidates that hand their work to ``torch.compile``: allowed, but the reader should know."""

    name = "uses_torch_compile"

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr == "compile" and ast.unparse(node) == "torch.compile":
                yield Remark(node.lineno, label=self.name)
                return


class AssignsToModules:
    """Warns where a candidate replaces an attribute of torch or of a clock: in its own process that changes nothing."""

    name = "assigns_to_modules"
    _modules = frozenset({"torch", "time", "builtins", "sys", "os", "gc", "threading"})

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for node in ast.walk(tree):
            if not isinstance(node, ast.Assign):
                continue
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    name = ast.unparse(target)
                    if name.split(".")[0] in self._modules and not name.startswith(("torch.backends.", "sys.path")):
                        yield Remark(node.lineno, warning=f"line {node.lineno} assigns to {name}")


BUILT_IN: tuple[IntegrityRule, ...] = (UsesTorchCompile(), AssignsToModules())


@cache
def rules() -> tuple[IntegrityRule, ...]:
    """The built-in rules and those of other packages."""
    found = entry_points(group="kernelwright.integrity_rules")
    return (*BUILT_IN, *(point.load()() for point in found))


def read(candidate: Candidate) -> tuple[Remark, ...]:
    """Check that the text can be a candidate at all, and collect what the rules remark.

    Raises ``Stopped``: it does not parse (``compile_failed``), defines no ``ModelNew`` (``generation_failed``), or
    imports what a candidate may not (``rejected``).
    """
    try:
        tree = ast.parse(candidate.source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        text = (getattr(error, "text", None) or "").strip()
        where = f" in line {line}: {text}" if line else ""
        raise stop(Status.COMPILE_FAILED, "syntax", f"the file is not Python: {error}{where}") from None
    if not _defines(tree, "ModelNew"):
        raise stop(Status.GENERATION_FAILED, "no_model_new", "the file defines no class ModelNew")
    allowed = sys.stdlib_module_names | {"torch"} | _TARGET_PACKAGES[candidate.target]
    for line, package in _imports(tree):
        if package not in allowed:
            raise stop(
                Status.REJECTED,
                "imports",
                f"line {line} imports {package}: a {candidate.target.value} candidate may import torch, the standard "
                f"library{''.join(f', {p}' for p in sorted(_TARGET_PACKAGES[candidate.target]))}",
            )
    return tuple(remark for rule in rules() for remark in rule(tree, candidate))


def _defines(tree: ast.Module, name: str) -> bool:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return True
        if isinstance(node, ast.If | ast.Try) and _defines(ast.Module(body=node.body, type_ignores=[]), name):
            return True
    return False


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.lineno, node.module.split(".")[0]
