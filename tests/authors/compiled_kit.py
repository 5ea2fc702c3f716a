"""Files of the author ``templates`` compiled for an H100, without one."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from templates_kit import Limits
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates.author import Form, write

POINTERS = {torch.float32: "*fp32", torch.float16: "*fp16", torch.int64: "*i64", torch.int32: "*i32", torch.bool: "*i1"}

SHARED = 227 << 10
"""Bytes of shared memory that a program can have on an H100."""


def compiled(
    module: nn.Module,
    inputs: list[torch.Tensor],
    limits: Limits,
    folder: Path,
    *,
    form: str = "ptx",
    halves: bool = True,
) -> tuple[str, list[str]]:
    """The file that the author writes, and the PTX (or another form) of its kernels in the order of their launches."""
    with pytest.MonkeyPatch.context() as patch:
        for template, name, value in limits:
            patch.setattr(template, name, value)
        captured = capture(module, inputs)
        written = write(Form(captured, captured.graph), halves=halves)
        assert written is not None
        patch.setenv("TRITON_CACHE_DIR", str(folder / "cache"))
        loaded, texts = load(written.source, folder), list[str]()
        for kernel in [k for k in vars(loaded) if k.endswith("_kernel")]:
            setattr(loaded, kernel, Recorder(getattr(loaded, kernel), texts, form))
        model = loaded.ModelNew()
        model.load_state_dict(module.state_dict())
        with torch.no_grad():
            model(*inputs)
    return written.source, texts


def load(source: str, folder: Path) -> Any:
    path = folder / "written.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("written", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Recorder:
    """Stands in a kernel's place, and compiles it with the arguments of its launch."""

    def __init__(self, kernel: Any, texts: list[str], form: str = "ptx") -> None:
        self.kernel, self.texts, self.form = kernel, texts, form

    def __getitem__(self, grid: object) -> Callable[..., None]:
        return self.launch

    def launch(self, *args: Any, **options: Any) -> None:
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        names = self.kernel.arg_names
        given = dict(zip(names, args, strict=False)) | {k: v for k, v in options.items() if k in names}
        tensors = {k: POINTERS[v.dtype] for k, v in given.items() if isinstance(v, torch.Tensor)}
        signature = {k: tensors.get(k, "constexpr") for k in names}
        constants = {(names.index(k),): v for k, v in given.items() if k not in tensors}
        aligned = {(names.index(k),): [["tt.divisibility", 16]] for k in tensors}
        how = {k: v for k, v in options.items() if k not in names}
        made = triton_compile(ASTSource(self.kernel, signature, constants, aligned), GPUTarget("cuda", 90, 32), how)
        assert made.metadata.shared <= SHARED
        self.texts.append(made.asm[self.form])


def triton_compile(source: Any, target: Any, options: dict[str, Any]) -> Any:
    import triton

    return triton.compile(source, target=target, options=options)
