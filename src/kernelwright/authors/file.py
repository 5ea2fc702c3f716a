"""``file:PATH``: a Candidate that a person wrote."""

import ast
from collections.abc import Sequence
from pathlib import Path

from kernelwright.authors.author import AuthorError, Task
from kernelwright.schema import Attempt, Candidate, Target


class FileAuthor:
    """Proposes the file as it stands, once. Never trusted: a person may have it from anywhere."""

    trusted = False
    targets = frozenset(Target)

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self.name = f"file:{path}"

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The file's text; ``None`` after the first Attempt. Raises ``AuthorError`` if it holds no ``ModelNew``."""
        if history:
            return None
        try:
            source = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise AuthorError(f"{self.path}: {getattr(error, 'strerror', None) or error}") from error
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:
            raise AuthorError(f"{self.path}: not a Python file: {error}") from error
        if not defines_model_new(tree):
            raise AuthorError(f"{self.path}: defines no ModelNew")
        return Candidate(
            source=source,
            author=self.name,
            target=detect_target(tree),
            title=self.path.name,
            explanation=ast.get_docstring(tree) or "",
        )


def defines_model_new(tree: ast.Module) -> bool:
    """Is ``ModelNew`` bound at module level: a class, an assignment or an import?"""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == "ModelNew":
            return True
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "ModelNew" for t in node.targets):
            return True
        if isinstance(node, ast.ImportFrom) and any((a.asname or a.name) == "ModelNew" for a in node.names):
            return True
    return False


def detect_target(tree: ast.Module) -> Target:
    """The language of the kernels in a Candidate, from what its code imports and calls; plain PyTorch otherwise."""
    imported: set[str] = set()
    used: set[str] = set()
    keywords: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Call):
            keywords |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    if "compile_shader" in used:
        return Target.METAL
    if "triton" in imported:
        return Target.TRITON
    cuda_sources = keywords.get("cuda_sources")
    empty = (isinstance(cuda_sources, ast.Constant) and not cuda_sources.value) or (
        isinstance(cuda_sources, ast.List) and not cuda_sources.elts
    )
    if (cuda_sources is not None and not empty) or used & {"CUDAExtension", "nvrtc", "_compile_kernel"}:
        return Target.CUDA
    text = ast.unparse(tree)
    if used & {"load_inline", "load"} and ("__global__" in text or ".cu'" in text):
        return Target.CUDA
    if used & {"load_inline", "CppExtension"} or "cpp_sources" in keywords or imported & {"ctypes", "cffi"}:
        return Target.CPP
    return Target.TORCH
