"""What reading a candidate's text can tell before it runs. A help to honest authors, never the defence."""

import ast
import sys
from functools import cache
from importlib.metadata import entry_points

from kernelwright.judge.findings import stop
from kernelwright.judge.source import process_rules, shortcut_rules
from kernelwright.judge.source.remarks import IntegrityRule, Remark
from kernelwright.judge.source.trees import imports
from kernelwright.schema import Candidate, Status, Target

_TARGET_PACKAGES: dict[Target, frozenset[str]] = {
    Target.TRITON: frozenset({"triton"}),
    Target.CUDA: frozenset({"cuda", "triton"}),
    Target.CPP: frozenset(),
    Target.METAL: frozenset(),
    Target.TORCH: frozenset(),
}


BUILT_IN: tuple[IntegrityRule, ...] = (
    shortcut_rules.UsesTorchCompile(), shortcut_rules.HoldsBinary(), shortcut_rules.HasNoKernel(),
    shortcut_rules.CountsCalls(), shortcut_rules.RemembersAddresses(), shortcut_rules.FallsBack(),
    shortcut_rules.Reseeds(), shortcut_rules.LeavesStreams(),
    process_rules.AssignsToModules(), process_rules.LowersPrecision(), process_rules.LooksAround(),
    process_rules.ReachesOut(), process_rules.ReadsSecrets(), process_rules.HidesCode(),
)  # fmt: skip


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
    for line, module in imports(tree):
        package = module.split(".")[0]
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
