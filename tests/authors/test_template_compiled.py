"""Kernels of reductions and scans, compiled for an H100 without one: they read 16 bytes at a time.

Triton finds out by itself where addresses are multiples of 16; how an offset is written decides whether it can.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates import reductions, rows, scans
from kernelwright.authors.templates.author import Form, write

triton = pytest.importorskip("triton")


class Module(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


LOOPED = [(rows, "KEPT", 2048), (rows, "FILLS", 1)]
PARTS = [(rows, "KEPT", 2048), (rows, "FILLS", 10_000)]
CASES: dict[str, tuple[Callable[..., torch.Tensor], tuple[int, ...], list[Any]]] = {
    "whole": (lambda x: (x * 2.0).softmax(1), (80, 8192), []),
    "whole, across": (lambda x: torch.relu(x).softmax(1), (4, 64, 32, 32), []),
    "looped": (lambda x: F.layer_norm(F.gelu(x), x.shape[1:]), (16, 81920), LOOPED),
    "reduced": (lambda x: x.logsumexp(1), (16, 81920), LOOPED),
    "in parts": (lambda x: x / torch.norm(x), (16, 81920), PARTS),
    "scan": (lambda x: x.cumsum(1), (16, 8192), []),
    "scan, backwards": (lambda x: x.flip(1).cumsum(1).flip(1), (16, 8192), []),
}


def loaded(source: str, folder: Path) -> Any:
    path = folder / "written.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("written", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Recorder:
    """Stands in a kernel's place, and compiles it with the arguments of its launch."""

    def __init__(self, kernel: Any, texts: list[str]) -> None:
        self.kernel, self.texts = kernel, texts

    def __getitem__(self, grid: object) -> Callable[..., None]:
        return self.launch

    def launch(self, *args: Any, **options: Any) -> None:
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        names = self.kernel.arg_names
        given = dict(zip(names, args, strict=False)) | {k: v for k, v in options.items() if k in names}
        tensors = {k for k, v in given.items() if isinstance(v, torch.Tensor)}
        signature = {k: "*fp32" if k in tensors else "constexpr" for k in names}
        constants = {(names.index(k),): v for k, v in given.items() if k not in tensors}
        aligned = {(names.index(k),): [["tt.divisibility", 16]] for k in tensors}
        how = {k: v for k, v in options.items() if k not in names}
        made = triton.compile(
            ASTSource(self.kernel, signature, constants, aligned), target=GPUTarget("cuda", 90, 32), options=how
        )
        self.texts.append(made.asm["ptx"])


@pytest.mark.parametrize("name", CASES)
def test_16_bytes_at_a_time(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function, shape, limits = CASES[name]
    for template, limit, value in [*limits, (reductions, "FEWEST_ELEMENTS", 1), (scans, "FEWEST_ELEMENTS", 1)]:
        monkeypatch.setattr(template, limit, value)
    monkeypatch.setattr(scans, "FEWEST_ROWS", 1)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    x = torch.randn(shape)
    captured = capture(Module(function), [x])
    written = write(Form(captured, captured.graph))
    assert written is not None
    module, texts = loaded(written.source, tmp_path), list[str]()
    for kernel in [k for k in vars(module) if k.endswith("_kernel")]:
        setattr(module, kernel, Recorder(getattr(module, kernel), texts))
    module.ModelNew()(x)
    assert len(texts) == (2 if name == "in parts" else 1)
    for text in texts:
        reads = [line for line in text.splitlines() if "ld.global" in line]
        assert any(".v4." in line for line in reads)
        assert sum(".v4." in line for line in reads) >= len(reads) // 2
